package bff

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"cloakroom/bff/edge"
	"cloakroom/configs"
)

// learnTime is how long a reload waits for providers that are new, or not as before, to be discovered.
const learnTime = 15 * time.Second

// mayChange are the keys that a reload may change, with all below them. Any other needs a restart: what it says is built into something that lives as long as
// the process does. A key that is new and that nobody has thought of is such a one.
var mayChange = []string{
	"assertions", "callers", "default_provider", "defaults", "include", "limits", "policy", "providers", "routes", "rules", "server.log.level", "server.shutdown_delay", "server.shutdown_grace", "server.trusted_proxies",
	"session.secrets", "spa", "upstreams",
}

// ErrProviderAway is wrapped by Reload where everything is right but for a provider that cannot be discovered now. Later it may be.
var ErrProviderAway = errors.New("cannot be discovered")

// ErrNotRunning is the error of a Reload before Run, while the server drains, and after its end.
var ErrNotRunning = errors.New("the server is not running")

// RestartNeeded is the error of a Reload that would change what cannot change while the server runs.
type RestartNeeded struct {
	// Keys are the whole keys, such as server.listen.
	Keys []string
}

// Error names the keys.
func (e *RestartNeeded) Error() string {
	return strings.Join(e.Keys, ", ") + ": cannot change while the server runs\nrestart it, or put the value back"
}

// What became of a new configuration, for the metric.
const (
	reloaded      = "ok"
	reloadRefused = "refused" // it is right, and the server does not take it
	reloadInvalid = "invalid" // it is wrong
)

// Reload puts another configuration, which was loaded and so is right, in the place of the one that holds. It is switched as a whole: each request is answered by the one of
// its beginning. Requests in flight and open streams go on under the one before. After an error nothing has changed.
//
// It returns when what only the configuration before needed has ended. A provider that is new, or not as before, is discovered first, since otherwise one
// mistyped letter would make every replica unready at once.
func (s *Server) Reload(cfg *configs.Config) error {
	s.generations.Lock()
	defer s.generations.Unlock()
	if s.generations.launch == nil || s.draining.Load() {
		return ErrNotRunning
	}
	before := s.current.Load()
	next, err := s.next(cfg, before)
	if err != nil {
		s.configRefused(reloadRefused, err)
		return err
	}
	s.current.Store(next)
	before.retire(next)
	s.metrics.switched(cfg.Proxied(), before.cfg.Proxied())
	s.metrics.generation(next.generation, s.now())
	s.metrics.reloaded(reloaded)
	edge.Event(context.Background(), s.log, edge.EventConfigReloaded, slog.Int("generation", next.generation), slog.Int("routes", len(cfg.Routes)),
		slog.Any("changed", configs.Changed(before.cfg, cfg)))
	return nil
}

// Invalid takes note that a configuration that should be reloaded cannot be: nothing changes, and the log and the metrics say so.
func (s *Server) Invalid(err error) { s.configRefused(reloadInvalid, err) }

func (s *Server) configRefused(result string, err error) {
	s.metrics.reloaded(result)
	edge.Event(context.Background(), s.log, edge.EventConfigRefused, slog.String("reason", result), slog.String("err", err.Error()))
}

// next makes the site of a configuration, ready to serve: its background work runs, and sessions are sealed as it says. After an error there is nothing left of it.
func (s *Server) next(cfg *configs.Config, before *site) (*site, error) {
	if keys := needRestart(configs.Changed(before.cfg, cfg)); keys != nil {
		return nil, &RestartNeeded{keys}
	}
	next, err := s.newSite(cfg, before)
	if err != nil {
		return nil, err
	}
	next.start(s.generations.launch)
	if err = next.learn(s.generations.over); err == nil {
		err = s.sessions.Reconfigure(cfg.Session.Secrets, longestTimeout(cfg.Providers))
	}
	if err != nil {
		next.retire(before)
		return nil, err
	}
	return next, nil
}

// needRestart are those of the keys that a reload may not change.
func needRestart(keys []string) (fixed []string) {
	for _, key := range keys {
		if !slices.ContainsFunc(mayChange, func(may string) bool { return key == may || strings.HasPrefix(key, may+".") }) {
			fixed = append(fixed, key)
		}
	}
	return fixed
}

// learn waits until the providers are known that the site does not share with the one before, which knows its own or has lived without. over ends it early.
func (s *site) learn(over <-chan struct{}) error {
	before, late := s.current.Load(), time.NewTimer(s.generations.patience)
	defer late.Stop()
	for _, name := range s.providerNames {
		k := s.providers[name]
		if before.providers[name] == k {
			continue
		}
		select {
		case <-k.Known():
		case <-late.C:
			return fmt.Errorf("providers.%s: %w: %w\nsee that it is up and that issuer is right; until then the configuration before holds", name, ErrProviderAway, k.Ready())
		case <-over:
			return ErrNotRunning
		}
	}
	return nil
}

// generations is who may switch them, and what runs behind each.
type generations struct {
	sync.Mutex               // one reload at a time
	launch     launcher      // nil before Run and after its end
	over       chan struct{} // closed when the server ends
	patience   time.Duration // with providers that are to be learnt
}

// begin starts the background work of the first generation, under ctx. The result ends the switching of generations: no work begins from then on. What runs ends
// with ctx, and wg is done with it.
func (s *Server) begin(ctx context.Context, wg *sync.WaitGroup) (end func()) {
	g := &s.generations
	g.Lock()
	defer g.Unlock()
	g.over = make(chan struct{})
	g.launch = func(work func(context.Context)) func() {
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		wg.Go(func() { defer close(done); defer cancel(); work(ctx) })
		return func() { cancel(); <-done }
	}
	first := s.current.Load()
	first.start(g.launch)
	s.metrics.switched(first.cfg.Proxied(), nil)
	s.metrics.generation(first.generation, s.now())
	return func() {
		close(g.over)
		g.Lock()
		defer g.Unlock()
		g.launch = nil
	}
}
