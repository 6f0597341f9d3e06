package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/e2e/browse"
)

// life is one session of a person, from its sign-in on.
type life struct {
	// sub is whose it is at the provider: another one for each sign-in, so that the provider's log tells sessions apart.
	sub    string
	ticket string

	mu       sync.Mutex
	lost     time.Time   // when its end was first seen
	troubled []time.Time // when requests began that their replica was struck with, or that were hung up
	outages  []time.Time // when requests began that were answered 503
}

// id is the session ID's beginning, as in the log.
func (l *life) id() string {
	sum := sha256.Sum256([]byte(l.ticket))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:8]
}

func (l *life) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost.IsZero() {
		l.lost = time.Now()
	}
}

// note keeps what may explain a 503, and each 503.
func (l *life) note(began time.Time, troubled bool, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if troubled {
		l.troubled = append(l.troubled, began)
	}
	if status == 503 {
		l.outages = append(l.outages, began)
	}
}

func (l *life) ended() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// person has a browser, whose session is used on both replicas, and signs in again when it is lost.
type person struct {
	name    string
	signing atomic.Bool

	mu    sync.Mutex
	lives []*life
	tries int
}

func (p *person) life() *life {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.lives); n > 0 && p.lives[n-1].ended().IsZero() {
		return p.lives[n-1]
	}
	return nil
}

// people ask, and judge what they are told.
type people struct {
	t      *testing.T
	fleet  *fleet
	origin string
	client *http.Client
	all    []*person

	mu       sync.Mutex
	counts   map[string]int
	bearers  map[string]map[string]bool // sub → thumbprints that the upstream saw
	problems []string
}

func newPeople(t *testing.T, f *fleet, origin string, n int) *people {
	p := &people{
		t: t, fleet: f, origin: origin, counts: map[string]int{}, bearers: map[string]map[string]bool{},
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}, Timeout: time.Minute},
	}
	for i := range n {
		p.all = append(p.all, &person{name: fmt.Sprintf("user-%03d", i)})
	}
	t.Cleanup(p.client.CloseIdleConnections)
	return p
}

func (p *people) count(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[what]++
}

// wrong notes what must not be. What it is about goes on.
func (p *people) wrong(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, fmt.Sprintf(format, args...))
}

// signIn gives a person the next life, and reports whether it has one.
func (p *people) signIn(ctx context.Context, who *person, side int) bool {
	if who.life() != nil {
		return true
	}
	m := p.fleet.healthy(side)
	if m == nil || !who.signing.CompareAndSwap(false, true) {
		return false
	}
	defer who.signing.Store(false)
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	who.tries++
	sub, began := fmt.Sprintf("%s.%d", who.name, who.tries), time.Now()
	b := browse.New(p.origin, shared.witness)
	defer b.Close()
	v := b.Via(m.Address)
	defer v.Close()
	a, err := v.SignIn(ctx, sub, "/public/welcome")
	switch {
	case err == nil && a.Status == 200 && v.Ticket() != "":
		who.mu.Lock()
		defer who.mu.Unlock()
		who.lives = append(who.lives, &life{sub: sub, ticket: v.Ticket()})
		return true
	case m.wasTroubled(began), ctx.Err() != nil:
		p.count("sign-in broke with its replica")
	case err == nil && a.Status == 503:
		p.count("sign-in answered 503")
	case err != nil:
		p.wrong("sign-in of %s: %v", sub, err)
	default:
		p.wrong("sign-in of %s ended at %s with %d", sub, a.URL.Path, a.Status)
	}
	return false
}

// answer is one answer to a person.
type answer struct {
	status int
	header http.Header
	body   struct {
		Bearer        string
		Code          string
		Authenticated bool
		Claims        struct{ Sub string }
	}
}

// ask asks a replica in the name of a session.
func (p *people) ask(ctx context.Context, m *member, l *life, path string) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.Address+path, nil)
	if err != nil {
		return nil, err
	}
	req.Host = strings.TrimPrefix(p.origin, "http://")
	req.Header = http.Header{"Cookie": {browse.SessionCookie + "=" + l.ticket}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"cors"}}
	res, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	a := &answer{status: res.StatusCode, header: res.Header}
	return a, json.Unmarshal(text, &a.body)
}

// visit asks once and judges the answer, which it returns if it is one of a living session.
func (p *people) visit(ctx context.Context, m *member, l *life, path string) *answer {
	began := time.Now()
	a, err := p.ask(ctx, m, l, path)
	l.note(began, ctx.Err() != nil || m.wasTroubled(began), 0)
	switch {
	case err != nil && ctx.Err() != nil:
		p.count("hung up")
	case err != nil && m.wasTroubled(began):
		p.count("broken off with its replica")
	case err != nil:
		p.wrong("%s of %s at %s: %v", path, l.sub, m.Name, err)
	case a.status == 200 && path == "/bff/user" && !a.body.Authenticated:
		p.count("200, signed out")
		l.end()
	case a.status == 200:
		p.served(began, l, path, a)
		return a
	default:
		p.refused(began, m, l, path, a)
	}
	return nil
}

// served judges an answer that a session was served with.
func (p *people) served(began time.Time, l *life, path string, a *answer) {
	p.count("200")
	const staleness = 2 * time.Second // its default
	if end := l.ended(); !end.IsZero() && began.After(end.Add(staleness)) {
		p.wrong("%s of %s is served %v after its session had ended", path, l.sub, began.Sub(end))
	}
	if path == "/bff/user" {
		if a.body.Claims.Sub != l.sub {
			p.wrong("%s is told to be %q", l.sub, a.body.Claims.Sub)
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bearers[l.sub] == nil {
		p.bearers[l.sub] = map[string]bool{}
	}
	p.bearers[l.sub][a.body.Bearer] = true
}

// refused judges an answer that is not 200: an outage says when to come again and touches no cookie.
func (p *people) refused(began time.Time, m *member, l *life, path string, a *answer) {
	p.count(fmt.Sprint(a.status, " ", a.body.Code))
	switch {
	case a.status == 401 && a.body.Code == "signed_out":
		l.end()
		return
	case a.status == 503 && a.header.Get("Retry-After") != "" && len(a.header.Values("Set-Cookie")) == 0:
		l.note(began, false, a.status)
		return
	case (a.status == 502 || a.status == 504) && m.wasTroubled(began):
		return
	}
	p.wrong("%s of %s at %s: %d %s, Retry-After %q, %d cookies", path, l.sub, m.Name, a.status, a.body.Code, a.header.Get("Retry-After"), len(a.header.Values("Set-Cookie")))
}

// round is how often a person asks, on average: mostly at a time when the access token is due.
const round = 4 * time.Second

// live lets a person ask one replica until ctx ends. Their other half asks the other one at the same moments, or a little later, when a refresh is under way.
func (p *people) live(ctx context.Context, who *person, side int, begin time.Time, seed uint64) {
	both, own := dice(seed, who.name, 0), dice(seed, who.name, 1+side)
	next := begin.Add(time.Duration(both.Int64N(int64(round))))
	for {
		late := time.Duration(side*both.IntN(2)*own.IntN(500)) * time.Millisecond
		if wait(ctx, time.Until(next.Add(late))); ctx.Err() != nil {
			return
		}
		p.asks(ctx, who, side, own)
		for !next.After(time.Now()) {
			next = next.Add(round/2 + time.Duration(both.Int64N(int64(round))))
		}
	}
}

// asks is what a person's half asks at a time: one or two things at once. Some do not wait for the answer.
func (p *people) asks(ctx context.Context, who *person, side int, own *rand.Rand) {
	m := p.fleet.at(side)
	if !p.signIn(ctx, who, side) || m == nil {
		return
	}
	l := who.life()
	var all sync.WaitGroup
	for range 1 + own.IntN(2) {
		path, ctx, cancel := "/api/x", context.WithoutCancel(ctx), context.CancelFunc(func() {})
		if own.IntN(8) == 0 {
			path = "/bff/user"
		}
		if own.IntN(30) == 0 {
			ctx, cancel = context.WithTimeout(ctx, time.Duration(own.IntN(200))*time.Millisecond)
		}
		all.Go(func() {
			defer cancel()
			if l != nil {
				p.visit(ctx, m, l, path)
			}
		})
	}
	all.Wait()
}

// heal asks for a person until both replicas serve them with a token that came after a time, or until the session turns out to be lost.
func (p *people) heal(ctx context.Context, who *person, side int, since time.Time) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		l := who.life()
		if l == nil {
			return nil
		}
		a := p.visit(ctx, p.fleet.at(side), l, "/api/x")
		if a != nil && p.fleet.front.since(a.body.Bearer, since) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New(l.sub + " is not served any more, and not signed out either")
		}
	}
}

// dead demands that a session that was lost is refused by both replicas.
func (p *people) dead(ctx context.Context, l *life) {
	for side := range 2 {
		m := p.fleet.at(side)
		a, err := p.ask(ctx, m, l, "/api/x")
		switch {
		case err != nil:
			p.wrong("%s at %s: %v", l.sub, m.Name, err)
		case a.status != 401 || a.body.Code != "signed_out":
			p.wrong("%s was lost, and is answered %d %s by %s", l.sub, a.status, a.body.Code, m.Name)
		}
	}
}
