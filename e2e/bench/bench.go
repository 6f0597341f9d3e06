package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
)

type options struct {
	pairs, requests, connections, sessions, routes int
	against                                        string // another build of cloakroom; empty: none
}

// bench is what all measurements share: the programs, the upstream, and one installation without replicas.
type bench struct {
	options
	dir       string
	self      string
	program   string // cloakroom
	upstream  string // http://host:port
	stack     *stack.Stack
	processes []*stack.Process
	stores    []*stack.Redis
}

// start builds and starts everything but what is measured.
func start(ctx context.Context, o options) (b *bench, err error) {
	b = &bench{options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.dir, err = os.MkdirTemp("", "cloakroom-bench-"); err != nil {
		return b, err
	}
	if b.self, err = os.Executable(); err != nil {
		return b, err
	}
	if b.program, err = stack.Build(ctx, b.dir, "./cmd/cloakroom", false); err != nil {
		return b, err
	}
	_, address, err := b.launch(ctx, "upstream", b.self, "upstream")
	if err != nil {
		return b, err
	}
	b.upstream = "http://" + address
	b.stack, err = stack.Start(ctx, stack.Options{Program: b.program, Dir: b.dir, Configure: func(c *stack.Config) {
		c.Upstream, c.LogLevel = b.upstream, "info"
	}, TTL: map[string]int{"AccessToken": 3600}})
	return b, err
}

// replica starts one with its log on, into a file; configure may change what the usual configuration says.
func (b *bench) replica(ctx context.Context, name string, configure func(*stack.Config)) (*stack.Replica, error) {
	usual := b.stack.Config
	defer func() { b.stack.Config = usual }()
	if configure != nil {
		configure(&b.stack.Config)
	}
	r, err := b.stack.StartLoggingReplica(ctx, filepath.Join(b.dir, name+".log"))
	if err != nil {
		return nil, err
	}
	return r, b.stack.Ready(ctx)
}

// signIn signs a user in at a replica and returns the cookie.
func (b *bench) signIn(ctx context.Context, r *stack.Replica) (cookie string, err error) {
	b.stack.Switch.Use(r.Address)
	browser := browse.New(b.stack.PublicURL, nil)
	defer browser.Close()
	if _, err := browser.SignIn(ctx, "alice", "/public/x"); err != nil {
		return "", fmt.Errorf("sign in: %w", err)
	}
	if browser.Ticket() == "" {
		return "", errors.New("sign in: no ticket")
	}
	return browse.SessionCookie + "=" + browser.Ticket(), nil
}

// side is a replica as one of those that are compared.
func (b *bench) side(name string, r *stack.Replica, cookie string) *side {
	return &side{name: name, pid: r.Pid(), url: "http://" + r.Address + "/api/orders",
		host: strings.TrimPrefix(b.stack.PublicURL, "http://"), cookie: cookie}
}

// launch starts a program that prints the address it listens on.
func (b *bench) launch(ctx context.Context, name, path string, args ...string) (*stack.Process, string, error) {
	p, err := stack.Launch(name, exec.Command(path, args...))
	if err != nil {
		return nil, "", err
	}
	b.processes = append(b.processes, p)
	line, err := p.Await(ctx, "address", func(l stack.Line) bool { return l.Is("listening") })
	if err != nil {
		return nil, "", err
	}
	return p, line.Fields["address"].(string), nil
}

// load runs the load generator against one side.
func (b *bench) load(ctx context.Context, s *side) (loaded, error) {
	cmd := exec.CommandContext(ctx, b.self, "load", "-url", s.url, "-host", s.host,
		"-requests", fmt.Sprint(b.requests), "-connections", fmt.Sprint(b.connections), "-want", cmp.Or(s.want, answer))
	cmd.Env = append(os.Environ(), "BENCH_COOKIE="+s.cookie)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return loaded{}, fmt.Errorf("load on %s: %w", s.url, err)
	}
	var l loaded
	return l, json.Unmarshal(out, &l)
}

func (b *bench) close() error {
	var errs []error
	if b.stack != nil {
		errs = append(errs, b.stack.Close())
	}
	for _, s := range b.stores { // after the replicas, which say goodbye to them
		errs = append(errs, s.Close())
	}
	for _, p := range b.processes {
		errs = append(errs, p.Kill())
	}
	return errors.Join(append(errs, os.RemoveAll(b.dir))...)
}
