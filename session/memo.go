package session

import "sync/atomic"

// memo is what somebody has worked out from a session, kept beside it as long as it is in memory.
type memo struct {
	of    *Session // a copy that was changed since shares the place, and must not share what was worked out
	by    any
	value any
}

// Memo returns what make works out from the session, and remembers it for the next request of the same browser: one value at a time, by whom it is for. by is compared
// with ==; another one, such as another generation of a configuration, works it out anew. The value is shared by requests, so nobody may change it. Nothing of
// it is stored.
func (s *Session) Memo(by any, make func() any) any {
	if s.memo == nil {
		return make()
	}
	if known := s.memo.Load(); known != nil && known.of == s && known.by == by {
		return known.value
	}
	m := &memo{of: s, by: by, value: make()}
	s.memo.Store(m)
	return m.value
}

// newMemo makes the place where a session's memo is kept.
func newMemo() *atomic.Pointer[memo] { return new(atomic.Pointer[memo]) }
