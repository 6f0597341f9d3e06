package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"cloakroom/session"
)

// runContexts checks that a caller whose time is up decides nothing.
func runContexts(t *testing.T, open func(t *testing.T) Subject) {
	calls := map[string]func(ctx context.Context, r *teller) error{
		"read":    func(ctx context.Context, r *teller) error { _, err := r.Store.Read(ctx, r.id("s")); return err },
		"readttl": func(ctx context.Context, r *teller) error { _, _, err := r.Store.ReadTTL(ctx, r.id("s")); return err },
		"ttl":     func(ctx context.Context, r *teller) error { _, err := r.Store.TTL(ctx, r.id("s")); return err },
		"create": func(ctx context.Context, r *teller) error {
			return r.Store.Create(ctx, r.id("n"), record("1A"), r.Now().Add(time.Hour))
		},
		"update": func(ctx context.Context, r *teller) error { return r.Store.Update(ctx, r.id("s"), record("2B")) },
		"touch": func(ctx context.Context, r *teller) error {
			_, err := r.Store.Touch(ctx, r.id("s"), r.Now().Add(2*time.Hour))
			return err
		},
		"prolong": func(ctx context.Context, r *teller) error {
			_, err := r.Store.Prolong(ctx, r.id("s"), r.Now().Add(2*time.Hour))
			return err
		},
		"why": func(ctx context.Context, r *teller) error {
			if _, err := r.Store.Why(ctx, r.id("s")); !errors.Is(err, session.ErrNone) {
				return err
			}
			return nil
		},
		"end": func(ctx context.Context, r *teller) error {
			_, err := r.Store.End(ctx, r.id("s"), time.Minute, "logout")
			return err
		},
		"add": func(ctx context.Context, r *teller) error {
			return r.Store.AddIndex(ctx, r.index("k"), session.Member{ID: r.id("n")}, second(r.t, "9"), r.Now().Add(time.Hour))
		},
		"add within": func(ctx context.Context, r *teller) error {
			_, err := r.Store.AddWithin(ctx, r.index("k"), session.Member{ID: r.id("n")}, second(r.t, "9"), r.Now().Add(time.Hour), session.Limit{Max: 2})
			return err
		},
		"ttls": func(ctx context.Context, r *teller) error {
			_, err := r.Store.TTLs(ctx, []session.ID{r.id("s")})
			return err
		},
		"drop":    func(ctx context.Context, r *teller) error { return r.Store.DropIndex(ctx, r.index("k"), r.id("s")) },
		"members": func(ctx context.Context, r *teller) error { _, err := r.Store.Members(ctx, r.index("k")); return err },
		"mark": func(ctx context.Context, r *teller) error {
			_, err := r.Store.MarkIndex(ctx, r.index("k"), second(r.t, "9"), time.Hour)
			return err
		},
		"lock": func(ctx context.Context, r *teller) error {
			_, err := r.Store.Lock(ctx, r.id("s"), write("A"), time.Minute)
			return err
		},
		"unlock": func(ctx context.Context, r *teller) error { return r.Store.Unlock(ctx, r.id("t"), write("T")) },
		"claim": func(ctx context.Context, r *teller) error {
			_, err := r.Store.Claim(ctx, r.name("n"), write("A"), time.Minute)
			return err
		},
		"check": func(ctx context.Context, r *teller) error { return r.Store.Check(ctx) },
	}
	for name, call := range calls {
		each(t, name+"/cancelled", open, func(t *testing.T, s Subject) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			refuses(t, s, context.Canceled, func(r *teller) error { return call(ctx, r) })
		})
		each(t, name+"/too late", open, func(t *testing.T, s Subject) {
			ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
			defer cancel()
			refuses(t, s, context.DeadlineExceeded, func(r *teller) error { return call(ctx, r) })
		})
		each(t, name+"/in time", open, func(t *testing.T, s Subject) {
			tell(t, s, untouched)
			if err := call(t.Context(), &teller{t: t, Subject: s}); err != nil {
				t.Fatalf("error %v, want none", err)
			}
		})
	}
}

// untouched is the state before the call, unchanged what must still hold after one that came too late.
const untouched = `
	create s A 1h = ok
	add k s 5 1h = ok
	lock t T 1m = true`

const unchanged = `
	read s = 1A
	ttl s = 1h
	read n = none
	members k = s
	add k o 6 1h = ok
	lock s Z 1m = true
	lock t Z 1m = false
	claim n Z 1m = true`

// refuses checks that the call fails with want and leaves everything as it was.
func refuses(t *testing.T, s Subject, want error, call func(*teller) error) {
	tell(t, s, untouched)
	if err := call(&teller{t: t, Subject: s}); !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
	tell(t, s, unchanged)
}
