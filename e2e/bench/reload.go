package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"cloakroom/e2e/stack"
)

// What the reload part does: so many reloads, under so many requests a second. AUZ-07 asks for a thousand; less is an error.
const (
	reloads   = 50
	leastRate = 1000
	rate      = 1100
)

// turns are the two configurations that take turns: /turn/ is open and goes to one upstream, or wants a session and goes to the other with its token. A request
// that is judged by one and sent by the other reaches an upstream that refuses it.
var turns = [2]string{
	"  - path: /turn/\n    upstream: %s/free\n    auth: none\n",
	"  - path: /turn/\n    upstream: %s/guarded\n    auth: required\n",
}

// reload measures what a reload costs, alone and to the requests beside it, and holds each answer against what it may be.
func (b *bench) reload(ctx context.Context, w io.Writer) error {
	first := fmt.Sprintf(turns[0], b.upstream)
	r, err := b.replica(ctx, "reload", func(c *stack.Config) {
		c.Routes, c.Sections = routes(b.upstream, b.routes-1)+first, "limits: {exempt: [127.0.0.0/8]}\n" // half of the load has no identity, which limits.callers would end
	})
	if err != nil {
		return err
	}
	cookie, err := b.signIn(ctx, r)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(b.stack.ConfigPath)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	t := &turning{bench: b, replica: r, generation: 1}
	t.texts = [2]string{string(text), strings.Replace(string(text), first, fmt.Sprintf(turns[1], b.upstream), 1)}
	alone, err := t.cost(ctx)
	if err != nil {
		return err
	}
	quiet, err := t.beside(ctx, cookie, func(ctx context.Context) error { return pause(ctx, 20*time.Second) })
	if err != nil {
		return err
	}
	var took []float64
	loud, err := t.beside(ctx, cookie, func(ctx context.Context) error {
		took, err = t.turn(ctx, reloads)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d routes. A reload alone takes %.0f ms of CPU time\n", b.routes, alone)
	fmt.Fprintf(w, "%d reloads under load, from SIGHUP to the switch: median %.0f ms, of which the reader waits %d for files to rest\n", reloads, median(took), settleTime)
	fmt.Fprintf(w, "requests, latency from when they were due:\n  without reloads: %s\n  with reloads:    %s\n", quiet, loud)
	return errors.Join(quiet.judge(), loud.judge())
}

// settleTime is how long cloakroom looks whether a file still changes, in milliseconds.
const settleTime = 250

// turning lets a replica take the other configuration, again and again.
type turning struct {
	*bench
	replica    *stack.Replica
	texts      [2]string
	generation int
}

// cost is the CPU time of a reload on an idle server, in milliseconds.
func (t *turning) cost(ctx context.Context) (float64, error) {
	const n = 10
	before, err := cpu(t.replica.Pid())
	if err != nil {
		return 0, err
	}
	if _, err := t.turn(ctx, n); err != nil {
		return 0, err
	}
	after, err := cpu(t.replica.Pid())
	if err != nil {
		return 0, err
	}
	return float64((after[0] - before[0]).Milliseconds()) / n, nil
}

// turn makes reloads, one after the other, and returns how long each took until the switch, in milliseconds.
func (t *turning) turn(ctx context.Context, n int) (took []float64, err error) {
	for range n {
		next := t.bench.stack.ConfigPath + ".next"
		if err := os.WriteFile(next, []byte(t.texts[t.generation%2]), 0o600); err != nil {
			return nil, fmt.Errorf("write configuration: %w", err)
		}
		if err := os.Rename(next, t.bench.stack.ConfigPath); err != nil {
			return nil, fmt.Errorf("write configuration: %w", err)
		}
		began := time.Now()
		if err := syscall.Kill(t.replica.Pid(), syscall.SIGHUP); err != nil {
			return nil, fmt.Errorf("signal: %w", err)
		}
		t.generation++
		if err := t.switched(ctx); err != nil {
			return nil, err
		}
		took = append(took, float64(time.Since(began).Microseconds())/1000)
	}
	return took, nil
}

// switched waits until the configuration of the latest turn holds.
func (t *turning) switched(ctx context.Context) error {
	want := fmt.Sprintf("\ncloakroom_config_generation %d\n", t.generation)
	for {
		_, text, err := t.replica.Get(ctx, "/metrics")
		switch {
		case err != nil:
			return err
		case strings.Contains(text, want):
			return nil
		case strings.Contains(text, "\ncloakroom_config_last_reload_successful 0\n"):
			return errors.New("a reload was refused")
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
