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

// A primary dies in the middle of traffic, and takes with it what was written since its replicas were cut off from it. No end that was acknowledged is
// undone, and no refresh token is used again whose successor was stored on enough replicas. The rest is counted.
//
// SES-11: meanwhile everything answers in bounded time.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	s := storetest.StartSentinel(t)
	cfg := sentinels(s)
	f := startTraffic(t, cfg)
	f.await(50)
	failOver(t, f, s.Nodes[0], s.Nodes[1:], func() bool { return s.Primary(t) != nil })
	f.finish()
}

func TestClusterFailover(t *testing.T) {
	t.Parallel()
	c := storetest.StartCluster(t, 3, true)
	cfg := cluster(c)
	cfg.Cluster = c.Addresses()
	f := startTraffic(t, cfg)
	f.await(50)
	failOver(t, f, c.Nodes[0], []*storetest.Redis{c.Replica(0)}, func() bool { return c.IsPrimary(t, c.Replica(0)) })
	f.finish()
}

// failOver loses the last writes of a primary together with it, and waits until another is in its place.
func failOver(t *testing.T, f *traffic, primary *storetest.Redis, replicas []*storetest.Redis, replaced func() bool) {
	t.Helper()
	for _, r := range replicas {
		r.Freeze(t)
	}
	primary.Unfollow(t)
	begun := f.ended.unmet.Load()
	storetest.Eventually(t, 20*time.Second, "ends are tried without replicas", func() bool { return f.ended.unmet.Load() >= begun+3 })
	primary.Stop()
	for _, r := range replicas {
		r.Thaw(t)
	}
	begin := time.Now()
	storetest.Eventually(t, 30*time.Second, "another primary", replaced)
	named := time.Since(begin)
	f.await(50)
	t.Logf("a new primary after %s, ends and refreshes as before after %s", named.Round(time.Millisecond), time.Since(begin).Round(time.Millisecond))
}

const (
	people    = 120
	tokenLife = 2 * time.Second
	// readTime bounds finding a session: a read and a touch.
	readTime = 2*time.Second + slack
	// opTime bounds what one request does: a read, a touch, and a refresh, whose lock, attempt and result are tried for some time.
	opTime = 15 * time.Second
)

// traffic is two processes' requests and sign-outs, and a provider at which each refresh token is good once.
type traffic struct {
	t        *testing.T
	both     [2]*session.Manager
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
		f.both[i], err = session.New(session.Config{
			IdleTimeout: 10 * time.Minute, Lifetime: time.Hour, MaxSize: 1 << 16, Cookie: session.CookieConfig{Name: "__Host-session"},
			Secrets: []secret.String{"Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta"},
		}, &watched{Store: st, by: f.provider}, session.Deps{Refresh: f.provider.refresh, RefreshTimeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = st.Close() })
	}
	for i := range people {
		f.all.Go(func() { f.person(i) })
	}
	return f
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
		m := f.both[random.IntN(2)]
		begin := time.Now()
		switch {
		case r == nil:
			r = f.signIn(m, fmt.Sprintf("%d-%d", i, n))
		case random.IntN(40) == 0:
			f.signOut(m, r)
			r = nil
		case !f.request(m, r):
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

// request reads and refreshes. It answers whether the session is still there.
func (f *traffic) request(m *session.Manager, r *http.Request) bool {
	f.asked.Add(1)
	begin := time.Now()
	s, err := m.FromRequest(r)
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

func (f *traffic) signOut(m *session.Manager, r *http.Request) {
	s, err := m.Peek(r)
	if err != nil {
		f.ended.failed.Add(1)
		return
	}
	err = m.EndOne(f.t.Context(), s, "logout")
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
	again := f.provider.judge(f.t)
	f.t.Logf("%d requests, %d refreshes; ended: %d acknowledged, of which 0 came back, %d not on enough replicas and %d without an answer, of which %d came back",
		f.asked.Load(), f.provider.refreshes.Load(), f.ended.met.Load(), f.ended.unmet.Load(), f.ended.failed.Load(), back)
	f.t.Logf("%d outages, the slowest after %s; %d sessions lost; %d refresh tokens used again, each where its successor was not on enough replicas",
		f.outages.Load(), time.Duration(f.slowest.Load()).Round(time.Millisecond), f.lost.Load(), again)
}
