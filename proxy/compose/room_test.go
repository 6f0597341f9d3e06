package compose

import (
	"errors"
	"strings"
	"testing"
)

// However many composed answers are made at the same time, they take no more memory together than they may, and give it back.
func TestAllAnswersTogetherHaveABound(t *testing.T) {
	for _, c := range []struct {
		name, shape string
		weight      int64
	}{{"as they are", "", plainWeight}, {"shaped", ".a.text", shapedWeight}} {
		t.Run(c.name, func(t *testing.T) {
			k := newKitchen(t)
			body := `{"text":"` + strings.Repeat("x", 1000) + `"}`
			k.says("/text", 200, "application/json", body)
			room := NewRoom(2 * int64(len(body)) * c.weight)
			p, err := New(Config{Legs: map[string]Leg{"a": k.leg("/text"), "b": optional(k.leg("/text"))}, Shape: c.shape}, nil, 0, room)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 { // the first gives back what it took
				if _, err := p.Run(t.Context(), Request{}, k.fetch, nil); err != nil {
					t.Fatalf("with just enough room: %v", err)
				}
			}
			if !room.share(false).take(1) { // somebody else has a byte
				t.Fatal("nothing was given back")
			}
			_, err = p.Run(t.Context(), Request{}, k.fetch, nil)
			if f, ok := errors.AsType[*Failure](err); !ok || f.Outcome != NoRoom {
				t.Errorf("without enough room: %v", err)
			}
			room.left.Add(plainWeight)
			if _, err := p.Run(t.Context(), Request{}, k.fetch, nil); err != nil {
				t.Errorf("with room again: %v", err)
			}
		})
	}
}
