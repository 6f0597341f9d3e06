package main

import (
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

type options struct{ pairs, requests, connections int }

// side is one of those that are compared.
type side struct {
	name    string
	pid     int
	url     string
	host    string
	cookie  string
	samples []float64 // microseconds of CPU per request
	rate    float64   // requests per second of wall time, of the last run
}

// bench is a running comparison.
type bench struct {
	options
	dir       string
	self      string
	stack     *stack.Stack
	processes []*stack.Process
	sides     []*side // Cloakroom first
}

// start builds and starts everything and signs in.
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
	program, err := stack.Build(ctx, b.dir, "./cmd/cloakroom", false)
	if err != nil {
		return b, err
	}
	barePath, err := stack.Build(ctx, b.dir, "./e2e/bench/bare", false)
	if err != nil {
		return b, err
	}
	_, upstreamAddress, err := b.launch(ctx, "upstream", b.self, "upstream")
	if err != nil {
		return b, err
	}
	if err := b.startCloakroom(ctx, program, upstreamAddress); err != nil {
		return b, err
	}
	for name, args := range map[string][]string{"bare": nil, "bare with BufferPool": {"-pool"}} {
		p, address, err := b.launch(ctx, name, barePath, append(args, "-upstream", "http://"+upstreamAddress)...)
		if err != nil {
			return b, err
		}
		b.sides = append(b.sides, &side{name: name, pid: p.Pid(), url: "http://" + address + "/api/orders", host: address})
	}
	return b, nil
}

// startCloakroom starts one replica with its log on, into a file, and signs a user in.
func (b *bench) startCloakroom(ctx context.Context, program, upstreamAddress string) error {
	s, err := stack.Start(ctx, stack.Options{Program: program, Dir: b.dir, Configure: func(c *stack.Config) {
		c.Upstream, c.LogLevel = "http://"+upstreamAddress, "info"
	}, TTL: map[string]int{"AccessToken": 3600}})
	if err != nil {
		return err
	}
	b.stack = s
	r, err := s.StartLoggingReplica(ctx, filepath.Join(b.dir, "cloakroom.log"))
	if err != nil {
		return err
	}
	if err := s.Ready(ctx); err != nil {
		return err
	}
	browser := browse.New(s.PublicURL, nil)
	defer browser.Close()
	if _, err := browser.SignIn(ctx, "alice", "/public/x"); err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	if browser.Ticket() == "" {
		return errors.New("sign in: no ticket")
	}
	b.sides = []*side{{
		name: "cloakroom", pid: r.Pid(), url: "http://" + r.Address + "/api/orders", host: strings.TrimPrefix(s.PublicURL, "http://"),
		cookie: browse.SessionCookie + "=" + browser.Ticket(),
	}}
	return nil
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
		"-requests", fmt.Sprint(b.requests), "-connections", fmt.Sprint(b.connections))
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
	for _, p := range b.processes {
		errs = append(errs, p.Kill())
	}
	return errors.Join(append(errs, os.RemoveAll(b.dir))...)
}
