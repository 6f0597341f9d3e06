package policy

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// maxAnswer bounds an agent's answer, in bytes.
const maxAnswer = 64 << 10

// readAnswer is what an agent's answer comes to. Only true allows, or an object whose allow is true: neither "true", nor 1, nor {}. An answer that is none
// makes the verdict unavailable.
func readAnswer(status int, contentType string, body []byte) Verdict {
	if status != http.StatusOK {
		return unavailable(fmt.Errorf("the agent answered with status %d", status))
	}
	if media, _, err := mime.ParseMediaType(contentType); err != nil || media != "application/json" {
		return unavailable(errors.New("the agent's answer is not application/json"))
	}
	v, err := strictJSON(body, maxAnswer)
	if err != nil {
		return unavailable(fmt.Errorf("the agent's answer %w", err))
	}
	answer, ok := v.(map[string]any)
	if !ok {
		return unavailable(errors.New("the agent's answer is no object"))
	}
	id, _ := answer["decision_id"].(string)
	verdict := readResult(answer)
	verdict.DecisionID = plainID(id)
	return verdict
}

// readResult judges the decision itself.
func readResult(answer map[string]any) Verdict {
	result, there := answer["result"]
	if !there {
		return Verdict{Reason: ReasonOPAUndefined}
	}
	if object, ok := result.(map[string]any); ok {
		result = object["allow"]
	}
	switch result {
	case true:
		return Verdict{Allow: true} // the agent says so, in so many words
	case false:
		return Verdict{Reason: ReasonOPA}
	}
	return Verdict{Reason: ReasonOPAUnclear}
}

func unavailable(err error) Verdict {
	return Verdict{Reason: ReasonOPAUnavailable, Unavailable: true, Err: err}
}

// plainID is an agent's name for its decision, if it can stand in a log and be searched for.
func plainID(id string) string {
	if len(id) > 128 || strings.ContainsFunc(id, func(r rune) bool { return notWord(r) || r == ',' }) {
		return ""
	}
	return id
}

// joinIDs is both names, without the empty one.
func joinIDs(a, b string) string {
	if a == "" {
		return b
	}
	return a + "," + b
}
