package browse

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"cloakroom/e2e/tokscan"
)

// Witness sees every answer of a run: it keeps them for the scanner and notes what breaks a rule that holds for all.
type Witness struct {
	// Corpus is given every answer, without the ticket where it belongs, and learns the tickets.
	Corpus *tokscan.Corpus

	mu         sync.Mutex
	violations []string
	answers    int
}

// Violations returns what was noted, and of how many answers.
func (w *Witness) Violations() (violations []string, answers int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.violations), w.answers
}

// See records one answer of the app's origin and checks it.
func (w *Witness) See(method string, a *Answer) {
	where := method + " " + a.URL.Path
	w.Keep(where, a.Status, a.Header, a.Body)
	wrong := Check(method, a)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers++
	for _, v := range wrong {
		if line := fmt.Sprintf("%s %d: %s", where, a.Status, v); !slices.Contains(w.violations, line) {
			w.violations = append(w.violations, line)
		}
	}
}

// Keep hands an answer to the scanner. A ticket may stand in its own Set-Cookie and nowhere else (CK-06).
func (w *Witness) Keep(where string, status int, header http.Header, body string) {
	var text strings.Builder
	fmt.Fprintf(&text, "%d\n", status)
	for name, values := range header {
		for _, value := range values {
			if ticket, rest, ok := ticketOf(name, value); ok {
				w.Corpus.Learn("ticket", ticket)
				value = SessionCookie + "=[ticket]" + rest
			}
			fmt.Fprintf(&text, "%s: %s\n", name, value)
		}
	}
	text.WriteString(body)
	w.Corpus.See(tokscan.Answer, where, []byte(text.String()))
}

func ticketOf(name, value string) (ticket, rest string, ok bool) {
	if name != "Set-Cookie" {
		return "", "", false
	}
	value, ok = strings.CutPrefix(value, SessionCookie+"=")
	if !ok {
		return "", "", false
	}
	ticket, rest, _ = strings.Cut(value, ";")
	return ticket, ";" + rest, true
}
