package session

import "testing"

func TestWhatWasWorkedOutFromASessionIsKept(t *testing.T) {
	s := &Session{Roles: []string{"editor"}, memo: newMemo()}
	made := 0
	ask := func(s *Session, by any) any {
		return s.Memo(by, func() any { made++; return s.Roles[0] })
	}
	for range 3 {
		if got := ask(s, "first"); got != "editor" {
			t.Fatalf("got %v", got)
		}
	}
	if made != 1 {
		t.Errorf("worked out %d times", made)
	}
	if ask(s, "second"); made != 2 {
		t.Error("another generation goes by what the first one worked out")
	}
	next := *s
	next.Roles = []string{"reader"}
	if got := ask(&next, "second"); got != "reader" {
		t.Errorf("a session that was changed since goes by %v", got)
	}
	if allocs := testing.AllocsPerRun(100, func() { ask(&next, "second") }); allocs > 0 {
		t.Errorf("%v allocations to remember", allocs)
	}
	if got := ask(&Session{Roles: []string{"new"}}, "second"); got != "new" {
		t.Errorf("a session that was never stored: %v", got)
	}
}
