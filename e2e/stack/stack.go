package stack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cloakroom/e2e/tokscan"
	"cloakroom/e2e/up"
)

// Options say what a stack is made of.
type Options struct {
	// Program is the built binary, Dir a folder of this stack's own.
	Program, Dir string
	// Replicas is how many are started. 0 starts none: Stack.StartReplica does.
	Replicas int
	// TTL are the provider's lifetimes in seconds by kind; AccessToken is the one that matters.
	TTL map[string]int
	// Corpus records what is seen and known; nil records nothing.
	Corpus *tokscan.Corpus
	// ProviderLink puts a Switch in front of the provider, for outages.
	ProviderLink bool
	// Configure changes the configuration before the first replica starts; may be nil.
	Configure func(*Config)
	// Env are variables of the replicas' environment, NAME=value.
	Env []string
}

// Stack is a running installation.
type Stack struct {
	// PublicURL is the origin that browsers see, http://localhost:port: the Switch's port.
	PublicURL string
	Switch    *Switch
	Redis     *Redis
	Provider  *Provider
	Upstream  *up.Upstream
	Replicas  []*Replica
	// Config is what the replicas were started with, ConfigPath the file. Rewrite the file to start others.
	Config     Config
	ConfigPath string
	// Clients are the provider's, to start it again.
	Clients []Client

	options Options
}

// Start starts all parts; what was started before an error is closed again.
func Start(ctx context.Context, o Options) (s *Stack, err error) {
	s = &Stack{options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.Switch, err = NewSwitch(); err != nil {
		return s, err
	}
	_, port, _ := strings.Cut(s.Switch.Address, ":")
	s.PublicURL = "http://localhost:" + port
	if s.Upstream, err = up.Start(); err != nil {
		return s, err
	}
	if s.Redis, err = StartRedis(ctx, o.Dir, o.Corpus); err != nil {
		return s, err
	}
	secret := rand.Text() + rand.Text()
	s.Clients = []Client{{
		ID: "app", Secret: secret,
		RedirectURIs:           []string{s.PublicURL + "/bff/callback"},
		PostLogoutRedirectURIs: []string{s.PublicURL + "/bff/logout"},
		BackchannelLogoutURI:   s.PublicURL + "/bff/backchannel",
	}}
	if s.Provider, err = s.startProvider(ctx); err != nil {
		return s, err
	}
	s.Config = Config{
		PublicURL: s.PublicURL, Issuer: s.Provider.Issuer, ClientSecret: secret,
		RedisURL: "redis://" + s.Redis.Link.Address + "/0",
		Secrets:  []string{rand.Text() + rand.Text()}, Upstream: s.Upstream.URL,
	}
	if o.Configure != nil {
		o.Configure(&s.Config)
	}
	if o.Corpus != nil {
		o.Corpus.Learn("client secret", s.Config.ClientSecret)
		for _, secret := range s.Config.Secrets {
			o.Corpus.Learn("session secret", secret)
		}
	}
	for range o.Replicas {
		if _, err = s.StartReplica(ctx); err != nil {
			return s, err
		}
	}
	return s, s.Ready(ctx)
}

func (s *Stack) startProvider(ctx context.Context) (*Provider, error) {
	if !s.options.ProviderLink {
		return StartProvider(ctx, 0, s.Clients, s.options.TTL)
	}
	link, err := NewSwitch()
	if err != nil {
		return nil, err
	}
	p, err := StartProviderBehind(ctx, link, s.Clients, s.options.TTL)
	if err != nil {
		_ = link.Close()
	}
	return p, err
}

// StartReplica writes Config to the file and starts one more replica, behind the Switch with the others.
func (s *Stack) StartReplica(ctx context.Context) (*Replica, error) {
	return s.addReplica(func(name, path string) (*Replica, error) {
		return StartReplica(ctx, name, s.options.Program, path, s.options.Corpus, s.options.Env...)
	})
}

// StartLoggingReplica is StartReplica with the log going into a file of that name.
func (s *Stack) StartLoggingReplica(ctx context.Context, log string) (*Replica, error) {
	return s.addReplica(func(name, path string) (*Replica, error) {
		return StartLoggingReplica(ctx, name, s.options.Program, path, log)
	})
}

func (s *Stack) addReplica(start func(name, config string) (*Replica, error)) (*Replica, error) {
	name := fmt.Sprintf("replica-%d", len(s.Replicas)+1)
	dir := filepath.Join(s.options.Dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	path, err := s.Config.Write(dir)
	if err != nil {
		return nil, err
	}
	s.ConfigPath = path
	r, err := start(name, path)
	if err != nil {
		return nil, err
	}
	s.Replicas = append(s.Replicas, r)
	s.Spread()
	return r, nil
}

// Spread sends the public port's connections to all replicas that are running.
func (s *Stack) Spread() {
	var targets []string
	for _, r := range s.Replicas {
		select {
		case <-r.Done():
		default:
			targets = append(targets, r.Address)
		}
	}
	s.Switch.Use(targets...)
}

// Ready waits until every replica says that it is.
func (s *Stack) Ready(ctx context.Context) error {
	for _, r := range s.Replicas {
		err := Eventually(ctx, r.Name+" is ready", func() bool {
			status, _, err := r.Get(ctx, "/readyz")
			return err == nil && status == 200
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Close tells the corpus what is known, dumps Redis, stops everything and reports whatever did not end cleanly.
func (s *Stack) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var errs []error
	if s.options.Corpus != nil && s.Provider != nil && s.Redis != nil {
		errs = append(errs, s.Provider.Confess(ctx, s.options.Corpus), s.Redis.Dump(ctx))
	}
	for _, r := range s.Replicas {
		errs = append(errs, r.Stop(ctx))
	}
	if s.options.Corpus != nil && s.Provider != nil {
		errs = append(errs, s.Provider.Confess(ctx, s.options.Corpus)) // what the stopping replicas still said
	}
	if s.Provider != nil {
		errs = append(errs, s.Provider.Close())
	}
	if s.Redis != nil {
		errs = append(errs, s.Redis.Close())
	}
	if s.Upstream != nil {
		errs = append(errs, s.Upstream.Close())
	}
	if s.Switch != nil {
		errs = append(errs, s.Switch.Close())
	}
	return errors.Join(errs...)
}

// Eventually polls until ok, for what announces itself nowhere.
func Eventually(ctx context.Context, what string, ok func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waited in vain until %s: %w", what, context.Cause(ctx))
		}
	}
	return nil
}
