package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"cloakroom/e2e/stack"
	"cloakroom/e2e/tokscan"
	"cloakroom/e2e/up"
)

// stressSeed decides what befalls which refresh, when people ask, and what is done to replicas when. What it meets then is the machine's affair.
var stressSeed = flag.Uint64("seed", 0, "the seed of TestRefreshStress")

// stress is CLOAKROOM_STRESS, a duration; or 20 seconds. The seed of those is always the same, unless -seed says otherwise.
func stress(t *testing.T) (d time.Duration, seed uint64) {
	t.Helper()
	d, seed = cycleTime, 1
	if text := os.Getenv("CLOAKROOM_STRESS"); text != "" {
		var err error
		if d, err = time.ParseDuration(text); err != nil || d <= 0 {
			t.Fatalf("CLOAKROOM_STRESS=%q: want a duration, such as 5m", text)
		}
		seed = uint64(time.Now().Unix())
	}
	if *stressSeed != 0 {
		seed = *stressSeed
	}
	return d, seed
}

// Law 3, SES-20, BCP-19, BCP-20: 200 sessions on two replicas with access tokens of three seconds, at a provider that takes a refresh token once and revokes all for a used one;
// answers are late, wrong or lost, replicas are stopped for longer than a lease, killed and replaced. By the provider's own log a refresh token is repeated only after an answer
// that was lost or a replica that was struck in its midst; nobody is taken for somebody else; no other session is lost; all others work on.
func TestRefreshStress(t *testing.T) {
	t.Parallel()
	most, seed := stress(t)
	t.Logf("seed %d; again: go test -race ./e2e -run %s -seed=%d", seed, t.Name(), seed)
	ctx, cancel := context.WithTimeout(context.Background(), most+5*time.Minute)
	defer cancel()
	c := inStress(t, ctx, seed, most > cycleTime)
	signInAll(ctx, t, c)

	traffic, stop := context.WithCancel(ctx)
	begin := time.Now()
	var living sync.WaitGroup
	for _, who := range c.all {
		for side := range 2 {
			living.Go(func() { c.live(traffic, who, side, begin, seed) })
		}
	}
	for dice := rand.New(rand.NewPCG(seed, 0)); time.Since(begin)+cycleTime/2 < most; {
		c.fleet.cycle(ctx, dice)
	}
	stop()
	living.Wait()
	c.fleet.front.calmDown()
	healAll(ctx, c, time.Now())
	c.fleet.ended.Wait()
	conclude(ctx, t, c, fmt.Sprintf("seed %d, %v", seed, time.Since(begin).Round(time.Second)))
}

// inStress starts everything. What the short run sees is scanned with the rest; the long one would be too much.
func inStress(t *testing.T, ctx context.Context, seed uint64, long bool) *people {
	t.Helper()
	program, err := shared.program()
	if err != nil {
		t.Fatal(err)
	}
	o := stack.Options{Program: program, Dir: t.TempDir(), ProviderLink: true, TTL: map[string]int{"AccessToken": 3, "RefreshToken": 1200}}
	if !long {
		o.Corpus = shared.corpus
	}
	f := &fleet{t: t, dir: o.Dir, struck: map[string]int{}}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bearer := up.Thumbprint(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		f.front.used(bearer)
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"bearer":%q}`, bearer)
	}))
	t.Cleanup(upstream.Close)
	o.Configure = func(c *stack.Config) {
		c.RedisTimeout = 2 * time.Second // nothing befalls Redis here but a busy machine
		c.Upstream, c.Provider = upstream.URL, "    timeout: "+providerTimeout.String()
	}
	if f.stack, err = stack.Start(ctx, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.close(o.Corpus) })
	f.front = newFront(t, seed, f.stack.Provider.Direct())
	f.stack.Provider.Link.Use(f.front.address())
	for side := range 2 {
		if err := f.start(ctx, side); err != nil {
			t.Fatal(err)
		}
	}
	const sessions = 200
	return newPeople(t, f, f.stack.PublicURL, sessions)
}

// close ends everything, and hands the logs to the scanner.
func (f *fleet) close(corpus *tokscan.Corpus) {
	if err := f.stack.Close(); err != nil {
		f.t.Error(err)
	}
	for _, m := range f.all {
		if text, err := os.ReadFile(m.log); err != nil {
			f.t.Error(err)
		} else if corpus != nil {
			corpus.See(tokscan.Log, m.Name, text)
		}
	}
}

// signInAll signs everybody in, four at a time.
func signInAll(ctx context.Context, t *testing.T, p *people) {
	t.Helper()
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for n := worker; n < len(p.all); n += 4 {
				if !p.signIn(ctx, p.all[n], n%2) {
					t.Errorf("%s is not signed in", p.all[n].name)
				}
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.Fatal(p.problems)
	}
}

// healAll demands that everybody is served on both replicas by what was refreshed after a time, or has lost their session for good.
func healAll(ctx context.Context, p *people, since time.Time) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for worker := range 16 {
		all.Go(func() {
			for n := worker; n < len(p.all); n += 16 {
				for side := range 2 {
					if err := p.heal(ctx, p.all[n], side, since); err != nil {
						p.wrong("%v", err)
					}
				}
				for _, l := range p.all[n].lives {
					if !l.ended().IsZero() {
						p.dead(ctx, l)
					}
				}
			}
		})
	}
	all.Wait()
}

// conclude collects what is known, prints it, and demands the verdict.
func conclude(ctx context.Context, t *testing.T, p *people, title string) {
	t.Helper()
	v := &verdict{book: p.fleet.front.book, people: p, logs: newLogs()}
	for _, kind := range []string{"authorization_code", "refresh_token"} {
		asked, err := p.fleet.stack.Provider.Asked(ctx, "/token", kind)
		if err != nil {
			t.Fatal(err)
		}
		v.asked = append(v.asked, asked...)
	}
	for _, m := range p.fleet.all {
		if err := v.logs.read(m); err != nil {
			t.Fatal(err)
		}
	}
	v.wrong = append(v.wrong, v.logs.wrong...)
	v.judge()
	t.Log(v.table(title))
	for _, w := range v.wrong {
		t.Error(w)
	}
	v.demandThrift(t)
	v.demandFaults(t)
}
