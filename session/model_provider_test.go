package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloakroom/session"
)

// family is what the model's provider knows of one sign-in: it takes each refresh token once, and who presents an older one loses all (RFC 9700, section 4.14.2).
type family struct {
	newest  int
	revoked bool
}

// sending is one time that a refresh token left for the provider.
type sending struct {
	by       *process
	deadline time.Time // of its attempt
	faults   int       // of its process, when it was sent
	back     bool      // its answer was heard
	answered bool      // the same, whatever a failover has undone since
	unsent   bool      // and it was that the token is not spent
	write    int       // the number of the write that recorded its attempt
	lost     bool      // which a failover has undone
}

// refresh implements session.Deps.Refresh.
func (p *process) refresh(ctx context.Context, s *session.Session) (r session.Refreshed, err error) {
	sent := p.w.sends(p, s)
	err = p.send(ctx, "refresh", s.ID(), func() (string, error) {
		var err error
		r, err = p.w.provide(s.Tokens.Refresh)
		return r.Tokens.Refresh + fmt.Sprint(err), err
	})
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if !p.dead && (err == nil || errors.Is(err, session.ErrUnsent) || errors.Is(err, session.ErrInvalidGrant)) {
		sent.back, sent.answered, sent.unsent = true, true, errors.Is(err, session.ErrUnsent)
	}
	return r, err
}

// provide is the provider's side of a refresh.
func (w *world) provide(token string) (session.Refreshed, error) {
	name, number, _ := strings.Cut(token, "+")
	f := w.families[name]
	if len(number) != f.newest {
		f.revoked = true
	}
	if f.revoked {
		return session.Refreshed{}, session.ErrInvalidGrant
	}
	f.newest++
	next := name + "+" + strings.Repeat("n", f.newest)
	return session.Refreshed{Tokens: tokens("access "+name, next, time.Now())}, nil
}

// revoke is the provider's own end of a sign-in, of which it tells nobody: a reason for the session to end with its next refresh.
func (w *world) revoke(v *visitor) {
	w.families[v.name].revoked = true
	v.excused = true
}

// sends holds law 3 to account at the moment when a token leaves: its attempt is on record, no other call of its session is under way, and it leaves again once at most, after an
// attempt whose outcome nobody can know.
func (w *world) sends(p *process, s *session.Session) *sending {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	sent := &sending{by: p, faults: p.faults, deadline: now}
	if s.Attempt != nil {
		sent.deadline = s.Attempt.Deadline.Add(-p.skew)
	}
	if w.set.fickle != nil {
		sent.write = w.set.fickle.last("update " + string(s.ID()))
	}
	token := s.Tokens.Refresh
	v := w.visitorOf(nil, s.ID())
	if cur := w.truth(v); cur != nil && !p.dead {
		switch {
		case v.undone: // a failover may have taken it from the record between its writing and now
			sent.lost = s.Attempt == nil || cur.Attempt == nil || cur.Attempt.ID != s.Attempt.ID
		case s.Attempt == nil || cur.Attempt == nil || cur.Attempt.ID != s.Attempt.ID:
			w.broken("law 3: %s sends %s without its attempt on record", p.name, token)
		case cur.Tokens.Refresh != token:
			w.broken("law 3: %s sends %s, but %s is on record", p.name, token, cur.Tokens.Refresh)
		}
	}
	if age := now.Sub(s.Tokens.Issued); !p.dead && age < freshFor-slack && !w.forced(p, s.ID()) {
		w.broken("law 3: %s refreshes %s, whose access token is %v old", p.name, token, age)
	}
	count := 0
	for _, earlier := range w.sent[token] {
		if earlier.unsent || earlier.lost || p.dead {
			continue
		}
		count++
		if earlier.back && !earlier.by.dead && earlier.faults == earlier.by.faults {
			w.broken("law 3: %s sends %s again after a known answer", p.name, token)
		}
		if now.Before(earlier.deadline) && !earlier.answered {
			w.broken("law 3: %s sends %s again while it may be under way", p.name, token)
		}
	}
	if count > 1 {
		w.broken("law 3: %s sends %s for the %d. time", p.name, token, count+1)
	}
	if count == 1 {
		w.repeats++
		if p.repeated == 0 {
			w.broken("law 3: %s repeats %s without counting it", p.name, token)
		}
	}
	p.repeated = 0
	w.sent[token] = append(w.sent[token], sent)
	return sent
}

// freshFor is how long nothing but an upstream's 401 causes another refresh: nine tenths of a token's life, less a second.
const freshFor = 5*time.Minute - 31*time.Second

// forced tells whether an upstream of p may have refused the session's token.
func (w *world) forced(p *process, id session.ID) bool {
	for _, o := range w.ops {
		if o.kind == "retry" && o.begun && o.p == p && o.about.id == id {
			return true
		}
	}
	return false
}
