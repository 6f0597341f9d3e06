package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"testing"
	"time"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
)

const (
	shortIdle     = 10 * time.Second // the shortest that there is
	shortLifetime = 14 * time.Second
)

// WS-06, SES-04, SES-05: what is open on either replica ends within a second after its session ran out: the one that nobody used, and the one that was
// used to the last, at the end of its lifetime.
func TestStreamsEndWhenTheirSessionRunsOut(t *testing.T) {
	t.Parallel()
	s := onOwn(t, stack.Options{Replicas: 2, Configure: func(c *stack.Config) { c.IdleTimeout, c.Lifetime = shortIdle, shortLifetime }})
	defer s.Upstream.Hold("sse").Release() // its second event never comes
	unused := s.signedIn("unused")
	before := time.Now()
	used := s.signedIn("used")
	lifetime := [2]time.Time{before.Add(shortLifetime), time.Now().Add(shortLifetime)}

	idling, living := s.flows([]*browse.Browser{unused}, 8), s.flows([]*browse.Browser{used}, 8)
	before = time.Now()
	left, err := s.Redis.Client.PTTL(s.ctx, "cloakroom:s:{"+sessionID(unused.Ticket())+"}").Result()
	s.check(err)
	idle := [2]time.Time{before.Add(left), time.Now().Add(left)}

	using := time.NewTicker(time.Second)
	defer using.Stop()
	for n := 0; time.Until(lifetime[0]) > 500*time.Millisecond; n++ {
		s.fetch(s.at(used, n%2), "POST", "/bff/keepalive", 204)
		<-using.C
	}
	s.expired("idle_timeout", idle, idling)
	s.expired("lifetime", lifetime, living)
}

// expired demands that each stream ended as one whose session ran out, not before the earliest time at which it may have, and within a second after the latest.
func (s *story) expired(reason string, between [2]time.Time, flows []*flow) {
	s.Helper()
	ends := rightEnds(reason)
	for _, f := range flows {
		select {
		case <-f.done:
		case <-s.ctx.Done():
			s.Fatalf("%s: a %s on replica %d has not ended", reason, f.kind, f.replica+1)
		}
		early, late := between[0].Sub(f.at), f.at.Sub(between[1])
		if f.ended != ends[f.kind] || early > 50*time.Millisecond || late > time.Second {
			s.Errorf("%s: a %s on replica %d ended with %q, %s late", reason, f.kind, f.replica+1, f.ended, late)
		}
	}
}

// sessionID is the store's key of a session.
func sessionID(ticket string) string {
	hash := sha256.Sum256([]byte(ticket))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}
