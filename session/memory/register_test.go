package memory_test

import (
	"errors"
	"fmt"
	"testing"

	"cloakroom/session"
	"cloakroom/session/memory"
	"cloakroom/session/storetest"
)

func TestRegistersAreKept(t *testing.T) {
	s := memory.New(memory.Config{MaxSessions: 10})
	defer s.Close()
	storetest.RunRegister(t, s)
}

func TestRegistersAreBounded(t *testing.T) {
	s := memory.New(memory.Config{MaxSessions: 1})
	defer s.Close()
	for i := range 1000 {
		if err := s.PutEntry(t.Context(), "a", fmt.Sprint(i), nil); errors.Is(err, session.ErrFull) {
			if err := s.PutEntry(t.Context(), "a", "0", []byte("x")); err != nil {
				t.Errorf("an entry that is there cannot be replaced: %v", err)
			}
			return
		}
	}
	t.Error("a thousand entries fit beside one session")
}
