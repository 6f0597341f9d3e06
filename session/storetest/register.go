package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"cloakroom/session"
)

// Registered is what a store has beside sessions: lists of entries by name that do not expire.
type Registered interface {
	PutEntry(ctx context.Context, register, name string, value []byte) error
	DropEntry(ctx context.Context, register, name string) (bool, error)
	Entry(ctx context.Context, register, name string) ([]byte, error)
	Entries(ctx context.Context, register string) (map[string][]byte, error)
}

// RunRegister shows that a store keeps entries. It uses registers of its own names.
func RunRegister(t *testing.T, s Registered) {
	t.Helper()
	ctx := t.Context()
	value := []byte("\x00 any \xff bytes\r\n")
	if _, err := s.Entry(ctx, "a", "one"); !errors.Is(err, session.ErrNone) {
		t.Errorf("an entry that was never written: %v, want ErrNone", err)
	}
	for i, name := range []string{"one", "two", "one"} { // the third replaces the first
		if err := s.PutEntry(ctx, "a", name, append(slices.Clone(value), byte(i))); err != nil {
			t.Fatalf("put %s: %v", name, err)
		}
	}
	if err := s.PutEntry(ctx, "b", "one", value); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Entry(ctx, "a", "one"); err != nil || string(got) != string(value)+"\x02" {
		t.Errorf("the entry that replaced another: %q, %v", got, err)
	}
	all, err := s.Entries(ctx, "a")
	if names := slices.Sorted(maps.Keys(all)); err != nil || fmt.Sprint(names) != "[one two]" || string(all["two"]) != string(value)+"\x01" {
		t.Errorf("all entries: %q, %v", all, err)
	}
	for i, want := range []bool{true, false} {
		if there, err := s.DropEntry(ctx, "a", "one"); err != nil || there != want {
			t.Errorf("drop for time %d: %v, %v, want %v", i+1, there, err, want)
		}
	}
	if _, err := s.Entry(ctx, "a", "one"); !errors.Is(err, session.ErrNone) {
		t.Errorf("an entry that was dropped: %v, want ErrNone", err)
	}
	if got, err := s.Entry(ctx, "b", "one"); err != nil || string(got) != string(value) {
		t.Errorf("the entry of the same name in another register: %q, %v", got, err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.PutEntry(ended, "a", "three", value); err == nil {
		t.Error("a caller whose time is over writes")
	}
}
