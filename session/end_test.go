package session

import (
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

const issuer = "https://id.test"

func TestEndedSessionIsGoneEverywhere(t *testing.T) {
	st := newFakeStore()
	one, two := newHouse(t, st, newFakeProvider()), newHouse(t, st, newFakeProvider())
	r := one.signIn(t, alice(time.Hour))
	s := one.read(t, r)
	two.read(t, r)
	if err := one.EndOne(t.Context(), s, "logout"); err != nil {
		t.Fatal(err)
	}
	one.gone(t, r)
	two.gone(t, r)
	if err := two.EndOne(t.Context(), s, "logout"); err != nil {
		t.Errorf("ending again: %v", err)
	}
	if n := len(st.list(userIndex(issuer, "alice"))) + len(st.list(providerIndex(issuer, "sid-1"))); n != 0 {
		t.Errorf("%d index entries left", n)
	}
	first, _ := one.reported()
	second, _ := two.reported()
	if !slices.Equal(first, []string{"logout"}) || len(second) != 0 {
		t.Errorf("ends reported: %q and %q, want one", first, second)
	}
}

// RPL-03, V-01: no write of a request that was under way brings an ended session back.
func TestEndedSessionStaysEnded(t *testing.T) {
	st := newFakeStore()
	h := newHouse(t, st, newFakeProvider())
	s := alice(time.Hour)
	r := h.signIn(t, s)
	writing, loaded, err := h.writer.load(t.Context(), s.ticket)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.EndOne(t.Context(), s, "logout"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.writer.commit(writing, loaded, newWriteID()); !errors.Is(err, ErrNone) {
		t.Errorf("commit = %v, want ErrNone", err)
	}
	fresh := *loaded
	fresh.version = 0
	if _, err := h.writer.commit(writing, &fresh, newWriteID()); !errors.Is(err, ErrEnded) {
		t.Errorf("create = %v, want ErrEnded", err)
	}
	if _, _, err := h.writer.load(t.Context(), s.ticket); !errors.Is(err, ErrNone) {
		t.Errorf("load = %v, want ErrNone: scs must not make a session where one is gone", err)
	}
	h.gone(t, r)
}

// scs would mint a session for a write that has none: it is refused.
func TestWriteWithoutSession(t *testing.T) {
	st := newFakeStore()
	h := newHouse(t, st, newFakeProvider())
	writing, err := h.writer.scs.Load(t.Context(), ticketA)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.writer.commit(writing, alice(time.Hour), newWriteID()); !errors.Is(err, ErrNone) || len(st.records) != 0 {
		t.Errorf("commit = %v, %d records; want ErrNone and none", err, len(st.records))
	}
}

// BCL-23, law 5: an end that was not written is not acknowledged.
func TestEndThatIsNotWritten(t *testing.T) {
	st := newFakeStore()
	h := newHouse(t, st, newFakeProvider())
	s := alice(time.Hour)
	r := h.signIn(t, s)
	st.breakWith(errDown, "end")
	if err := h.EndOne(t.Context(), s, "logout"); !errors.Is(err, errDown) {
		t.Errorf("EndOne = %v, want the outage", err)
	}
	if n, err := h.EndByProvider(t.Context(), issuer, "alice", "", time.Now().Add(time.Second)); n != 0 || !errors.Is(err, errDown) {
		t.Errorf("EndByProvider = %d, %v, want the outage", n, err)
	}
	st.breakWith(errDown, "markindex")
	if _, err := h.EndByProvider(t.Context(), issuer, "alice", "", time.Now().Add(time.Second)); !errors.Is(err, errDown) {
		t.Errorf("EndByProvider = %v, want the outage", err)
	}
	st.breakWith(nil)
	h.read(t, r)
	if n, err := h.EndByProvider(t.Context(), issuer, "alice", "", time.Now().Add(time.Second)); n != 1 || err != nil {
		t.Errorf("the retry: %d, %v", n, err)
	}
	h.gone(t, r)
	if ended, _ := h.reported(); !slices.Equal(ended, []string{"backchannel"}) {
		t.Errorf("ends reported: %q", ended)
	}
}

// A browser that hangs up does not stop the end that it asked for.
func TestEndOutlivesItsRequest(t *testing.T) {
	h := newHouse(t, newFakeStore(), newFakeProvider())
	s := alice(time.Hour)
	r := h.signIn(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.EndOne(ctx, s, "logout"); err != nil {
		t.Fatal(err)
	}
	h.gone(t, r)
}

func TestEndByProvider(t *testing.T) {
	type who struct{ issuer, sub, sid string }
	a1, a2 := who{issuer, "alice", "sid-1"}, who{issuer, "alice", "sid-2"}
	bob := who{issuer, "bob", "sid-3"}
	elsewhere := who{"https://other.test", "alice", "sid-1"}
	loose, bobLoose, elsewhereLoose := who{issuer, "alice", ""}, who{issuer, "bob", ""}, who{"https://other.test", "alice", ""}
	all := []who{a1, a2, bob, elsewhere, loose, bobLoose, elsewhereLoose}
	for name, tt := range map[string]struct {
		token who
		ends  []who
		err   error
	}{
		"BCL-02: sub ends all of the user's":                            {who{issuer, "alice", ""}, []who{a1, a2, loose}, nil},
		"BCL-03: sid ends exactly that one":                             {who{issuer, "", "sid-1"}, []who{a1}, nil},
		"BCL-01: sub and sid that agree, and what may hang on that sid": {a2, []who{a2, loose}, nil},
		"a sid that no ID token named ends what may hang on it":         {who{issuer, "alice", "sid-9"}, []who{loose}, nil},
		"BCL-05: sub and sid that do not":                               {who{issuer, "bob", "sid-1"}, nil, ErrMismatch},
		"BCL-06: another issuer's sid is another's":                     {who{"https://third.test", "alice", "sid-1"}, nil, nil},
		"BCL-16: unknown user":                                          {who{issuer, "carol", ""}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, newFakeStore(), newFakeProvider())
			sessions := map[who]*Session{}
			for _, w := range all {
				s := alice(time.Hour)
				s.Issuer, s.Subject, s.ProviderSession = w.issuer, w.sub, w.sid
				h.signIn(t, s)
				sessions[w] = s
			}
			for range 2 { // BCL-14: a repeat is harmless
				_, err := h.EndByProvider(t.Context(), tt.token.issuer, tt.token.sub, tt.token.sid, time.Now().Add(time.Second))
				if !errors.Is(err, tt.err) {
					t.Fatalf("EndByProvider = %v, want %v", err, tt.err)
				}
			}
			for w, s := range sessions {
				_, err := h.reread(s)
				if ended := errors.Is(err, ErrNone); ended != slices.Contains(tt.ends, w) {
					t.Errorf("%v ended: %v", w, ended)
				}
			}
		})
	}
}

// BCL-14, BCL-22: a logout token counts for what was issued up to its own second by the provider's clock, for nothing later.
func TestBackchannelOrder(t *testing.T) {
	login := time.Now().Truncate(time.Second)
	for name, tt := range map[string]struct {
		logout time.Time
		ends   bool
	}{
		"a logout later than the sign-in":     {login.Add(time.Second), true},
		"a logout in the sign-in's second":    {login, true},
		"a logout that is older: a late copy": {login.Add(-time.Second), false},
	} {
		for _, sid := range []string{"", "sid-1"} {
			t.Run(name+", sid "+sid, func(t *testing.T) {
				sub := "alice"
				if sid != "" {
					sub = ""
				}
				h := newHouse(t, newFakeStore(), newFakeProvider())
				s := alice(time.Hour)
				s.IssuedAt = login
				r := h.signIn(t, s)
				n, err := h.EndByProvider(t.Context(), issuer, sub, sid, tt.logout)
				if err != nil || (n == 1) != tt.ends {
					t.Errorf("EndByProvider = %d, %v; ends want %v", n, err, tt.ends)
				}
				if _, err := h.FromRequest(r); errors.Is(err, ErrNone) != tt.ends {
					t.Errorf("session after it: %v", err)
				}
				late := alice(time.Hour) // the same sign-in, stored after the logout
				late.IssuedAt = login
				if err := h.Start(t.Context(), httptest.NewRecorder(), late); errors.Is(err, ErrEnded) != tt.ends {
					t.Errorf("Start after the logout = %v, refused want %v", err, tt.ends)
				}
				next := alice(time.Hour) // the next honest sign-in
				next.IssuedAt = tt.logout.Add(time.Second)
				h.read(t, h.signIn(t, next))
			})
		}
	}
}

// BCL-22: a logout that arrives between any two steps of a sign-in wins.
func TestBackchannelOvertakesTheSignIn(t *testing.T) {
	for _, step := range []string{"addindex", "create"} {
		t.Run("before "+step, func(t *testing.T) {
			st := newFakeStore()
			h := newHouse(t, st, newFakeProvider())
			s := alice(time.Hour)
			done := false
			st.before = func(op string) error {
				if op == step && !done {
					done = true
					if _, err := h.EndByProvider(t.Context(), issuer, "", "sid-1", s.IssuedAt); err != nil {
						t.Error(err)
					}
				}
				return nil
			}
			w := httptest.NewRecorder()
			if err := h.Start(t.Context(), w, s); !errors.Is(err, ErrEnded) {
				t.Errorf("Start = %v, want %v", err, ErrEnded)
			}
			if len(st.records) != 0 || len(w.Header()) != 0 {
				t.Errorf("%d records, headers %v", len(st.records), w.Header())
			}
		})
	}
}

// An entry whose session is gone is dropped by the next reader, but not while its sign-in may still be under way.
func TestDeadIndexEntriesAreDropped(t *testing.T) {
	st := newFakeStore()
	h := newHouse(t, st, newFakeProvider())
	dead, young, living := alice(time.Hour), alice(time.Hour), alice(time.Hour)
	for _, s := range []*Session{dead, young, living} {
		h.signIn(t, s)
	}
	key := userIndex(issuer, "alice")
	delete(st.records, dead.ID())
	delete(st.records, young.ID())
	dead.Created = dead.Created.Add(-deadAfter - time.Second)
	if _, err := h.enter(t.Context(), dead, nil); err != nil {
		t.Fatal(err)
	}
	members, err := h.Manager.living(t.Context(), key)
	if err != nil || len(members) != 1 || members[0].ID != living.ID() {
		t.Errorf("living = %v, %v; want the one", members, err)
	}
	if n := len(st.list(key)); n != 2 {
		t.Errorf("%d entries left, want 2", n)
	}
}

// An entry that nobody can read any more does not save its session from the provider's logout.
func TestUnreadableIndexEntryEnds(t *testing.T) {
	st := newFakeStore()
	h := newHouse(t, st, newFakeProvider())
	s := alice(time.Hour)
	r := h.signIn(t, s)
	key := userIndex(issuer, "alice")
	st.index(key).members[s.ID()] = Member{ID: s.ID(), Info: []byte("?")}
	if n, err := h.EndByProvider(t.Context(), issuer, "alice", "", time.Now()); n != 1 || err != nil {
		t.Errorf("EndByProvider = %d, %v", n, err)
	}
	h.gone(t, r)
}

func TestIndexKeysAreDistinct(t *testing.T) {
	keys := []IndexKey{
		userIndex("a", "bc"), userIndex("ab", "c"), userIndex("", "abc"), userIndex("a", ":1:bc"),
		providerIndex("a", "bc"), providerIndex("ab", "c"),
	}
	slices.Sort(keys)
	if n := len(slices.Compact(keys)); n != 6 {
		t.Errorf("%d distinct keys of 6", n)
	}
}
