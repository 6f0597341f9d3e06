package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"cloakroom/e2e/stack"
)

// besideBare compares Cloakroom with a bare reverse proxy, with and without a BufferPool.
func (b *bench) besideBare(ctx context.Context, w io.Writer) error {
	r, err := b.replica(ctx, "cloakroom", nil)
	if err != nil {
		return err
	}
	cookie, err := b.signIn(ctx, r)
	if err != nil {
		return err
	}
	sides := []*side{b.side("cloakroom", r, cookie)}
	if b.against != "" {
		other, err := b.otherBuild(ctx, cookie)
		if err != nil {
			return err
		}
		sides = append(sides, other)
	}
	path, err := stack.Build(ctx, b.dir, "./e2e/bench/bare", false)
	if err != nil {
		return err
	}
	for _, bare := range []struct {
		name string
		args []string
	}{{"bare", nil}, {"bare with BufferPool", []string{"-pool"}}} {
		p, address, err := b.launch(ctx, bare.name, path, append(bare.args, "-upstream", b.upstream)...)
		if err != nil {
			return err
		}
		sides = append(sides, &side{name: bare.name, pid: p.Pid(), url: "http://" + address + "/api/orders", host: address})
	}
	var commands map[string]float64
	err = b.interleave(ctx, sides, func(ctx context.Context, s *side) (err error) {
		if s != sides[0] {
			return b.once(ctx, s)
		}
		commands, err = b.counted(ctx, s)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprint(w, "CPU time per signed-in proxied request, beside a bare ReverseProxy\n\n")
	table(w, sides)
	for _, s := range sides[1:] {
		ratio(w, sides[0], s)
	}
	printCommands(w, commands)
	return nil
}

// otherBuild starts another build with the same configuration, so that the same cookie is good for it.
func (b *bench) otherBuild(ctx context.Context, cookie string) (*side, error) {
	r, err := stack.StartLoggingReplica(ctx, "the other build", b.against, b.stack.ConfigPath, filepath.Join(b.dir, "other.log"))
	if err != nil {
		return nil, err
	}
	b.processes = append(b.processes, r.Process)
	return b.side(r.Name, r, cookie), nil
}

// counted is once with Redis' own count of commands around it. It returns Redis' commands per signed-in request, by name.
func (b *bench) counted(ctx context.Context, s *side) (map[string]float64, error) {
	before, err := b.redisCommands(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.once(ctx, s); err != nil {
		return nil, err
	}
	after, err := b.redisCommands(ctx)
	if err != nil {
		return nil, err
	}
	perRequest := make(map[string]float64)
	for name, calls := range after {
		if n := calls - before[name]; n > 0 && name != "info" {
			perRequest[name] = n / float64(b.requests)
		}
	}
	return perRequest, nil
}

// redisCommands returns how often Redis ran each command since it started.
func (b *bench) redisCommands(ctx context.Context) (map[string]float64, error) {
	info, err := b.stack.Redis.Client.Info(ctx, "commandstats").Result()
	if err != nil {
		return nil, fmt.Errorf("ask redis: %w", err)
	}
	calls := make(map[string]float64)
	for line := range strings.Lines(info) {
		name, rest, ok := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
		if !ok {
			continue
		}
		count, _, _ := strings.Cut(rest, ",")
		if calls[name], err = strconv.ParseFloat(count, 64); err != nil {
			return nil, fmt.Errorf("read redis' statistics: %w", err)
		}
	}
	return calls, nil
}

func printCommands(w io.Writer, commands map[string]float64) {
	total := 0.0
	var names []string
	for name, n := range commands {
		total += n
		names = append(names, fmt.Sprintf("%s %.4f", name, n))
	}
	slices.Sort(names)
	fmt.Fprintf(w, "Redis commands per request: %.4f (%s)\n", total, strings.Join(names, ", "))
}
