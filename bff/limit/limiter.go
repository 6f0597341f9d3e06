package limit

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// Script runs [Lua] in the store, once and never again, however its answer is lost: it would count twice. It comes back within Config.Timeout, and leaves a store
// alone for a moment that gave no answer to the last ones.
type Script func(ctx context.Context, keys []string, args ...any) ([]int64, error)

// Deps are what a Limiter needs from others.
type Deps struct {
	// Run counts for all replicas. Nil: each process counts for itself, the whole of each limit, and no limit's outage matters.
	Run Script
	// Cluster says that a script may only touch keys of one slot. Else all limits of a request are one call.
	Cluster bool
	// Prefix starts every key in the store.
	Prefix string
	// Now is the time; nil is time.Now.
	Now func() time.Time
}

// Limiter counts requests.
type Limiter struct {
	cfg    Config
	deps   Deps
	exempt []netip.Prefix
	memory *memory
	fixed  [4]*Set
}

// New makes a limiter.
func New(cfg Config, d Deps) (*Limiter, error) {
	if d.Now == nil {
		d.Now = time.Now
	}
	return build(cfg, d, newMemory(d.Now))
}

// With makes a limiter with another configuration, which goes on with what l has counted: a reload frees nobody. Sets that l has compiled stay usable.
func (l *Limiter) With(cfg Config, run Script) (*Limiter, error) {
	d := l.deps
	d.Run = run
	return build(cfg, d, l.memory)
}

func build(cfg Config, d Deps, m *memory) (*Limiter, error) {
	l := &Limiter{cfg: cfg, deps: d, memory: m}
	for _, text := range cfg.Exempt {
		p, err := parseNetwork(text)
		if err != nil {
			return nil, fmt.Errorf("exempt: %w", err)
		}
		l.exempt = append(l.exempt, p)
	}
	for i, f := range []struct {
		name string
		Limit
	}{
		{"login", cfg.Login.limit(cfg.Login.Rate, cfg.Login.Burst)},
		{"callback", cfg.Callback.limit(cfg.Callback.Rate, cfg.Callback.Burst)},
		{"backchannel", cfg.Backchannel.limit(cfg.Backchannel.Rate, cfg.Backchannel.Burst)},
		{"callers", cfg.Callers.limit(cfg.Callers.Rate, cfg.Callers.Burst)},
	} {
		l.fixed[i] = &Set{limiter: l}
		if f.Rate == off {
			continue
		}
		one, err := l.compile(f.Limit, f.name, "fixed-"+f.name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		one.hidden = true
		l.fixed[i].add(one)
		l.fixed[i].finish()
	}
	return l, nil
}

// Login counts GET /bff/login.
func (l *Limiter) Login() *Set { return l.fixed[0] }

// Callback counts GET /bff/callback.
func (l *Limiter) Callback() *Set { return l.fixed[1] }

// Backchannel counts POST /bff/backchannel.
func (l *Limiter) Backchannel() *Set { return l.fixed[2] }

// Callers counts requests that brought no identity, or a credential that was not good. Whoever checks credentials asks Peek before, and Take when
// it was not good: the request after the last one that was allowed is then refused whatever it brings.
func (l *Limiter) Callers() *Set { return l.fixed[3] }

// Compile makes what counts the requests of a route. Its errors name the limit by its place in the list.
func (l *Limiter) Compile(route string, limits []Limit) (*Set, error) {
	if len(limits) > most {
		return nil, fmt.Errorf("are %d limits; at most %d are counted", len(limits), most)
	}
	s := &Set{limiter: l}
	for i, one := range limits {
		c, err := l.resolve(one, route)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		s.add(c)
	}
	if same := s.distinguish(); same != nil {
		return nil, fmt.Errorf("[%d]: %w", same.at, same)
	}
	s.finish()
	return s, nil
}
