package redis_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/configs/secret"
	"cloakroom/session"
	"cloakroom/session/redis"
	"cloakroom/session/storetest"
)

// A primary dies, or hangs for so long that it is replaced, in the middle of traffic, and takes with it what was written since its replicas were cut off from it. No end
// that was acknowledged is undone, and no refresh token is used again whose successor was stored on enough replicas. The rest is counted.
//
// One process trusts copies: none is older than staleness by the last proof, and afterwards it hears the new primary and serves from copies again. The other one asks for each request.
//
// SES-11: meanwhile everything answers in bounded time.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	s := storetest.StartSentinel(t)
	f := startTraffic(t, sentinels(s))
	f.await(50)
	primary := s.Nodes[0]
	failOver(t, f, primary, primary.Freeze, s.Nodes[1:], func() *storetest.Redis { return s.Primary(t) })
	primary.Thaw(t) // it does not know that it was replaced
	f.await(50)
	f.finish()
}

func TestClusterFailover(t *testing.T) {
	t.Parallel()
	c := storetest.StartCluster(t, 3, true)
	cfg := cluster(c)
	cfg.Cluster = c.Addresses()
	f := startTraffic(t, cfg)
	f.await(50)
	primary, replica := c.Nodes[0], c.Replica(0)
	failOver(t, f, primary, func(testing.TB) { primary.Stop() }, []*storetest.Redis{replica}, func() *storetest.Redis {
		if c.IsPrimary(t, replica) {
			return replica
		}
		return nil
	})
	f.finish()
}

// failOver loses the last writes of a primary together with it, and waits until another is in its place.
func failOver(t *testing.T, f *traffic, primary *storetest.Redis, harm func(testing.TB), replicas []*storetest.Redis, successor func() *storetest.Redis) {
	t.Helper()
	for _, r := range replicas {
		r.Freeze(t)
	}
	primary.Unfollow(t)
	begun := f.ended.unmet.Load()
	storetest.Eventually(t, 20*time.Second, "ends are tried without replicas", func() bool { return f.ended.unmet.Load() >= begun+3 })
	harm(t)
	for _, r := range replicas {
		r.Thaw(t)
	}
	begin := time.Now()
	var next *storetest.Redis
	storetest.Eventually(t, 30*time.Second, "another primary", func() bool { next = successor(); return next != nil })
	named := time.Since(begin)
	listening(t, next, int64(len(f.both)))
	heard, copied := time.Since(begin), f.seen[trusting].copied.Load()
	storetest.Eventually(t, 20*time.Second, "copies serve again", func() bool { return f.seen[trusting].copied.Load() >= copied+100 })
	f.await(50)
	t.Logf("a new primary after %s, heard after %s, ends and refreshes as before after %s",
		named.Round(time.Millisecond), heard.Round(time.Millisecond), time.Since(begin).Round(time.Millisecond))
}

const (
	people    = 120
	tokenLife = 2 * time.Second
	// readTime bounds finding a session: a read and a touch.
	readTime = 2*time.Second + slack
	// opTime bounds what one request does: a read, a touch, and a refresh, whose lock, attempt and result are tried for some time.
	opTime = 15 * time.Second
	// asking and trusting are the processes without and with copies.
	asking, trusting = 0, 1
)

// traffic is two processes' requests and sign-outs, and a provider at which each refresh token is good once.
type traffic struct {
	t        *testing.T
	both     [2]*session.Manager
	seen     [2]*observed
	provider *rotating
	stop     chan struct{}
	all      sync.WaitGroup

	asked, outages, lost atomic.Int64
	ended                struct{ met, unmet, failed atomic.Int64 }
	slowest              atomic.Int64

	mu   sync.Mutex
	gone map[string]*http.Request // sessions whose end was acknowledged
	open map[string]*http.Request // those whose end was tried and not acknowledged
}

func startTraffic(t *testing.T, cfg redis.Config) *traffic {
	t.Helper()
	cfg.Wait, cfg.Timeout = 1, time.Second
	f := &traffic{t: t, stop: make(chan struct{}), gone: map[string]*http.Request{}, open: map[string]*http.Request{}}
	f.provider = &rotating{used: map[string][]use{}, stored: map[session.ID][]stored{}}
	for i := range f.both {
		st, err := redis.New(cfg, slog.New(f.provider))
		if err != nil {
			t.Fatal(err)
		}
		f.seen[i] = &observed{watched: &watched{Store: st, by: f.provider}}
		f.both[i], err = session.New(session.Config{
			Staleness: []time.Duration{asking: 0, trusting: staleness}[i], IdleTimeout: 10 * time.Minute, Lifetime: time.Hour, MaxSize: 1 << 16, Cookie: session.CookieConfig{Name: "__Host-session"},
			Secrets: []secret.String{"Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta"},
		}, f.seen[i], session.Deps{Refresh: f.provider.refresh, RefreshTimeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = st.Close() })
		f.watch(f.both[i])
	}
	for i := range people {
		f.all.Go(func() { f.person(i) })
	}
	return f
}

// watch has a process listen until finish.
func (f *traffic) watch(m *session.Manager) {
	ctx, stop := context.WithCancel(context.Background())
	f.all.Go(func() { <-f.stop; stop() })
	f.all.Go(func() { m.Watch(ctx) })
}

// person signs in, makes requests and signs out, again and again.
func (f *traffic) person(i int) {
	random := rand.New(rand.NewPCG(uint64(i), 1))
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var r *http.Request
	for n := 0; ; n++ {
		select {
		case <-f.stop:
			return
		case <-tick.C:
		}
		at := random.IntN(2)
		begin := time.Now()
		switch {
		case r == nil:
			r = f.signIn(f.both[at], fmt.Sprintf("%d-%d", i, n))
		case random.IntN(40) == 0:
			f.signOut(at, r)
			r = nil
		case !f.request(at, r):
			r = nil
		}
		if took := int64(time.Since(begin)); took > f.slowest.Load() {
			f.slowest.Store(took)
		}
	}
}

func (f *traffic) signIn(m *session.Manager, name string) *http.Request {
	answer := httptest.NewRecorder()
	err := m.Start(f.t.Context(), answer, &session.Session{
		Issuer: "https://id.test", Subject: name, Tokens: freshTokens(name + "-0"), IssuedAt: time.Now(),
	})
	if err != nil {
		f.outages.Add(1)
		return nil
	}
	r := httptest.NewRequestWithContext(f.t.Context(), http.MethodGet, "/", nil)
	for _, c := range answer.Result().Cookies() {
		r.AddCookie(c)
	}
	return r
}

// request reads and refreshes at one process. It answers whether the session is still there.
func (f *traffic) request(at int, r *http.Request) bool {
	f.asked.Add(1)
	m, begin := f.both[at], time.Now()
	s, err := f.seen[at].find(f.t, m.FromRequest, r)
	if took := time.Since(begin); took > readTime {
		f.t.Errorf("finding a session took %s (%v), want at most %s", took, err, readTime)
	}
	if err == nil {
		_, err = m.AccessToken(f.t.Context(), s)
	}
	switch {
	case errors.Is(err, session.ErrNone):
		f.lost.Add(1)
		return false
	case err != nil:
		f.outages.Add(1)
	}
	return true
}

// signOut signs out at one process, and looks at the other one whether it obeys.
func (f *traffic) signOut(at int, r *http.Request) {
	m, other := f.both[at], 1-at
	s, err := m.Peek(r)
	if err != nil {
		f.ended.failed.Add(1)
		return
	}
	if err = m.EndOne(f.t.Context(), s, "logout"); err == nil {
		f.seen[other].obeys(f.t, f.both[other], r)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch key := r.Header.Get("Cookie"); {
	case err == nil:
		f.ended.met.Add(1)
		f.gone[key] = r
	case errors.Is(err, session.ErrUnreplicated):
		f.ended.unmet.Add(1)
		f.open[key] = r
	default:
		f.ended.failed.Add(1)
		f.open[key] = r
	}
}

// await waits until so many ends were acknowledged, and refreshes made, from now on.
func (f *traffic) await(n int64) {
	f.t.Helper()
	ended, refreshed := f.ended.met.Load(), f.provider.refreshes.Load()
	storetest.Eventually(f.t, 60*time.Second, "ends and refreshes", func() bool {
		return f.ended.met.Load() >= ended+n && f.provider.refreshes.Load() >= refreshed+n
	})
}

// finish stops everybody and judges.
func (f *traffic) finish() {
	f.t.Helper()
	close(f.stop)
	f.all.Wait()
	for _, m := range f.both {
		if err := m.Close(context.Background()); err != nil {
			f.t.Error(err)
		}
	}
	back := 0
	for _, m := range f.both {
		for _, r := range f.gone {
			if _, err := m.Peek(r); !errors.Is(err, session.ErrNone) {
				f.t.Errorf("a session whose end was acknowledged answers %v", err)
			}
		}
	}
	for _, r := range f.open {
		if _, err := f.both[0].Peek(r); err == nil {
			back++
		}
	}
	if back == 0 {
		f.t.Error("the failover undid nothing: this shows nothing")
	}
	if slowest := time.Duration(f.slowest.Load()); slowest > opTime {
		f.t.Errorf("the slowest request took %s, want at most %s", slowest, opTime)
	}
	if n := f.seen[asking].copied.Load(); n > 0 {
		f.t.Errorf("%d requests were answered without the store by the process that asks each time", n)
	}
	again := f.provider.judge(f.t)
	f.t.Logf("%d requests, %d refreshes; ended: %d acknowledged, of which 0 came back, %d not on enough replicas and %d without an answer, of which %d came back",
		f.asked.Load(), f.provider.refreshes.Load(), f.ended.met.Load(), f.ended.unmet.Load(), f.ended.failed.Load(), back)
	f.t.Logf("%d outages, the slowest after %s; %d sessions lost; %d refresh tokens used again, each where its successor was not on enough replicas",
		f.outages.Load(), time.Duration(f.slowest.Load()).Round(time.Millisecond), f.lost.Load(), again)
	o := f.seen[trusting]
	f.t.Logf("%d requests were served from copies and %d by the store; %d subscriptions; an end was not obeyed for %s at worst",
		o.copied.Load(), o.confirmed.Load(), o.subscribed.Load(), time.Duration(o.latest.Load()).Round(time.Millisecond))
}
