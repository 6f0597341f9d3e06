package e2e

import (
	"encoding/json"
	"regexp"
	"strings"

	"cloakroom/e2e/browse"
)

var (
	styles = regexp.MustCompile(`(?s)<(style|svg|head)\b.*?</(style|svg|head)>`)
	tags   = regexp.MustCompile(`<[^>]*>`)
	blanks = regexp.MustCompile(`\s+`)
)

// brief is what a failure says of an answer: its text, and why the server gave it, from the log.
func (s *story) brief(a *browse.Answer) string {
	text := a.Body
	if strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
		text = tags.ReplaceAllString(styles.ReplaceAllString(text, " "), " ")
	}
	text = strings.TrimSpace(blanks.ReplaceAllString(text, " "))
	if len(text) > 400 {
		text = text[:400] + "…"
	}
	return text + s.logged(a.Header.Get("X-Request-Id"))
}

// logged returns the log records of one request.
func (s *story) logged(id string) string {
	if id == "" {
		return ""
	}
	var b strings.Builder
	for _, r := range s.Replicas {
		for _, l := range r.Lines() {
			if strings.Contains(l.Text, id) {
				line, _ := json.Marshal(l.Fields)
				b.WriteString("\n    " + string(line))
			}
		}
	}
	return b.String()
}
