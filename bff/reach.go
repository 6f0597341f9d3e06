package bff

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"cloakroom/bff/provider"
	"cloakroom/configs"
	"cloakroom/proxy"
	"cloakroom/session/redis"
)

// Reached is how something that a configuration names took to being asked.
type Reached struct {
	// What it is, such as "provider main" or "upstream orders"; Where it is, without secrets; How it was asked.
	What, Where, How string
	// Took is how long it took.
	Took time.Duration
	// Err is why it failed, or nil. It holds no secret.
	Err error
}

// Reach asks everything outside that a configuration names, all at the same time: each provider for its metadata, the store, each server of an
// upstream, also of one that no route uses yet. It returns when all have answered or ctx ends, in a stable order.
func Reach(ctx context.Context, cfg *configs.Config) ([]Reached, error) {
	e, err := NewExplainer(cfg)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	spare, err := e.spare()
	if err != nil {
		return nil, err
	}
	defer spare.Close()
	asks := []func(context.Context) []Reached{}
	for _, name := range slices.Sorted(maps.Keys(cfg.Providers)) {
		asks = append(asks, func(ctx context.Context) []Reached { return askProvider(ctx, name, cfg.Providers[name]) })
	}
	if cfg.Session.Store == "redis" {
		asks = append(asks, func(ctx context.Context) []Reached { return askRedis(ctx, cfg.Session.Redis) })
	}
	for _, table := range []*proxy.Table{e.table, spare} {
		asks = append(asks, func(ctx context.Context) []Reached { return askUpstreams(ctx, table) })
	}
	answers := make([][]Reached, len(asks))
	var wg sync.WaitGroup
	for i, ask := range asks {
		wg.Go(func() { answers[i] = ask(ctx) })
	}
	wg.Wait()
	return slices.Concat(answers...), nil
}

// timed completes an answer by what f says, and how long it took.
func timed(r Reached, f func() error) []Reached {
	start := time.Now()
	r.Err = f()
	r.Took = time.Since(start)
	return []Reached{r}
}

func askProvider(ctx context.Context, name string, cfg provider.Config) []Reached {
	return timed(Reached{What: "provider " + name, Where: cfg.Issuer, How: "discovery"}, func() error {
		p, err := provider.New(name, cfg, "https://redirect.invalid/", provider.Deps{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return err
		}
		return p.Discover(ctx)
	})
}

func askRedis(ctx context.Context, cfg redis.Config) []Reached {
	return timed(Reached{What: "redis", Where: "", How: "read and write"}, func() error {
		store, err := redis.New(cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		err = store.Check(ctx)
		if closing := store.Close(); err == nil && closing != nil {
			err = fmt.Errorf("close: %w", closing)
		}
		return err
	})
}

// spare is a table that has the named upstreams which no route uses.
func (e *Explainer) spare() (*proxy.Table, error) {
	used := map[string]bool{}
	for _, u := range e.table.Upstreams() {
		used[u.Upstream] = true
	}
	var routes []proxy.Config
	for _, name := range slices.Sorted(maps.Keys(e.cfg.Upstreams)) {
		if !used[name] {
			r := configs.Default[proxy.Config]()
			r.Path, r.Upstream = fmt.Sprintf("/%d", len(routes)), name
			routes = append(routes, r)
		}
	}
	return proxy.Compile(routes, e.cfg.Upstreams, proxy.Deps{}, nil)
}

func askUpstreams(ctx context.Context, table *proxy.Table) []Reached {
	var out []Reached
	for _, p := range table.Probe(ctx) {
		r := Reached{What: "upstream", Where: p.Server, How: p.How, Took: p.Took, Err: p.Err}
		if p.Upstream != p.Server {
			r.What += " " + p.Upstream
		}
		out = append(out, r)
	}
	return out
}
