package e2e

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/e2e/browse"
)

const (
	// crowd is how many users ask at the same time.
	crowd = 200
	// weather is how long the connections to Redis break and stall.
	weather = 4 * time.Second
)

// someone is a user with what is theirs alone.
type someone struct {
	name, bearer string
	at           []*browse.Browser
}

// SES-12: 200 users over two replicas while the connections to Redis are reset and answers come too late, again and
// again: each sees their own name and their own token, or an outage, and never another's.
func TestNobodySeesAnothersAnswer(t *testing.T) {
	t.Parallel()
	s := onStores(t)
	users := s.crowd()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	stop := make(chan struct{})
	var storm sync.WaitGroup
	storm.Go(func() { s.disturb(rand.New(rand.NewPCG(seed, 0)), stop) })
	var served, failed atomic.Int64
	end := time.Now().Add(weather)
	var asking sync.WaitGroup
	for worker := range 16 {
		asking.Go(func() {
			// At least until the storm was felt: copies that are trusted outlast most of its gusts.
			for n := worker; time.Now().Before(end) || failed.Load() == 0 && time.Now().Before(end.Add(time.Minute)); n += 16 {
				s.own(users[n%crowd], n, &served, &failed)
			}
		})
	}
	asking.Wait()
	close(stop)
	storm.Wait()
	t.Logf("%d answers with one's own name, %d outages", served.Load(), failed.Load())
	if served.Load() < crowd || failed.Load() == 0 {
		t.Error("the storm was too strong, or none")
	}
	s.Redis.Link.Delay(0)
	for n, u := range users {
		s.back(u.at[n%2])
	}
	documented(t, "503", "session_store_unavailable")
}

// crowd signs everybody in and notes which bearer is whose.
func (s *story) crowd() []*someone {
	s.Helper()
	users := make([]*someone, crowd)
	var coming sync.WaitGroup
	for worker := range 4 {
		coming.Go(func() {
			for n := worker; n < crowd; n += 4 {
				u := &someone{name: fmt.Sprint("user-", n)}
				b := s.browser()
				if _, err := b.SignIn(s.ctx, u.name, "/public/welcome"); err != nil {
					s.Error(err)
				}
				u.at = []*browse.Browser{s.at(b, 0), s.at(b, 1)}
				users[n] = u
			}
		})
	}
	coming.Wait()
	bearers := map[string]string{}
	for _, u := range users {
		a, err := u.at[0].Fetch(s.ctx, "GET", "/api/x", "")
		s.check(err)
		if a.Status != 200 {
			s.Fatalf("%s: %d\n%s", u.name, a.Status, s.brief(a))
		}
		u.bearer = s.bearer(a)
		if whose, known := bearers[u.bearer]; known || u.bearer == "" {
			s.Fatalf("%s has the bearer %q of %q before anything broke", u.name, u.bearer, whose)
		}
		bearers[u.bearer] = u.name
	}
	return users
}

// bearer is the thumbprint of what the upstream was given.
func (s *story) bearer(a *browse.Answer) string {
	for _, h := range s.fields(a)["Headers"].([]any) {
		if line := h.([]any); line[0] == "Authorization" {
			return line[1].(string)
		}
	}
	return ""
}

// own asks once in a user's name and compares.
func (s *story) own(u *someone, n int, served, failed *atomic.Int64) {
	path := []string{"/bff/user", "/api/x"}[n/crowd%2]
	a, err := u.at[n%2].Fetch(s.ctx, "GET", path, "")
	if err != nil {
		s.Error(err)
		return
	}
	switch {
	case a.Status == 503:
		failed.Add(1)
		return
	case a.Status != 200:
		s.Errorf("%s %s: %d", u.name, path, a.Status)
		return
	case path == "/api/x" && s.bearer(a) != u.bearer:
		s.Errorf("%s was given another's token", u.name)
	case path == "/bff/user" && s.subject(a) != u.name:
		s.Errorf("%s was told: %s", u.name, a.Body)
	}
	served.Add(1)
}

// subject is whom GET /bff/user says the browser belongs to.
func (s *story) subject(a *browse.Answer) any {
	claims, _ := s.fields(a)["claims"].(map[string]any)
	return claims["sub"]
}

// disturb breaks and stalls the connections to Redis until stop: answers come within the timeout, just after it, or never.
func (s *story) disturb(dice *rand.Rand, stop <-chan struct{}) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-stop:
			return
		}
		switch dice.IntN(32) {
		case 0, 1, 2, 3:
			s.Redis.Link.Reset()
		case 4, 5: // for a third of a second or so: some answers come when nobody waits for them any more
			s.Redis.Link.Delay(time.Duration(dice.Int64N(int64(storeTimeout * 3 / 2))))
		case 6, 7:
			s.Redis.Link.Delay(0)
		}
	}
}
