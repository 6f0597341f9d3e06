package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"time"
)

// logs are what the replicas logged, as far as the verdict needs it.
type logs struct {
	ends   map[string][]string // why sessions ended, by the beginning of their ID
	lapses map[string][]lapse  // when a replica itself says that it lost an answer, likewise
	events map[string][]string // all that was logged about a session by name, likewise
	wrong  []string            // crashes and races
}

// lapse is an answer that a replica does not have, for want of time or of the store.
type lapse struct {
	by string
	at time.Time
}

func newLogs() *logs {
	return &logs{ends: map[string][]string{}, lapses: map[string][]lapse{}, events: map[string][]string{}}
}

// read adds the log of one process.
func (g *logs) read(m *member) error {
	text, err := os.ReadFile(m.log)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Buffer(nil, 4<<20); lines.Scan(); {
		line := lines.Bytes()
		if bytes.HasPrefix(line, []byte("panic:")) || bytes.Contains(line, []byte("DATA RACE")) {
			g.wrong = append(g.wrong, m.Name+": "+string(line))
		}
		if bytes.Contains(line, []byte(`"event"`)) {
			g.event(m.Name, line)
		}
	}
	return lines.Err()
}

func (g *logs) event(by string, line []byte) {
	var r struct {
		Time                          time.Time
		Event, Session, Reason, Error string
	}
	if json.Unmarshal(line, &r) != nil {
		return // a killed process' last line
	}
	g.events[r.Session] = append(g.events[r.Session], by+": "+string(line))
	switch r.Event {
	case "session_ended", "refresh_token_reuse", "refresh_failed":
		g.ends[r.Session] = append(g.ends[r.Session], r.Reason)
	case "refresh_unknown":
		if !strings.Contains(r.Error, "deadline exceeded") && !strings.Contains(r.Error, "timed out") {
			return // a broken connection is one of ours
		}
		g.lapses[r.Session] = append(g.lapses[r.Session], lapse{by, r.Time})
	case "refresh_lost":
		if strings.Contains(r.Error, "changed by somebody else") {
			return // by whom? Nobody else may have refreshed
		}
		g.lapses[r.Session] = append(g.lapses[r.Session], lapse{by, r.Time})
	}
}

// admit marks those refreshes of a session to which nothing was done, and of which the replica says that its time was over all the same.
func (g *logs) admit(f *family, id string) {
	for _, lapse := range g.lapses[id] {
		var of *send
		for _, s := range f.sends {
			if s.by == lapse.by && s.at.Before(lapse.at) {
				of = s
			}
		}
		if of != nil && of.struck == "" && (of.fault == none || of.fault == slow) {
			of.fault = busy
		}
	}
}
