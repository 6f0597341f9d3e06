package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"cloakroom/e2e/stack"
)

// ruled are routes that differ in their rules alone. All let alice through; the first has none, and is what the others are compared with.
var ruled = []struct{ name, rules string }{
	{"no rules", ""},
	{"roles", "    allow: {roles: [support, customer]}\n"},
	{"roles, an expression", "    allow: {roles: [support, customer], when: '" + expression + "'}\n"},
	{"roles, hours", "    allow: {roles: [support, customer], rules: [hours]}\n"},
	{"limit in memory", "    limit: {concurrent: 100000}\n"},
	{"limit in Redis", "    limit: {rate: 10000/1s, burst: 1000000}\n"},
	{"two limits in Redis", "    limit: [{rate: 10000/1s, burst: 1000000}, {rate: 10000/1s, burst: 1000000, per: ip}]\n"},
}

const (
	expression = `request.method == "GET" && user.sub == request.values.name`
	hours      = "rules:\n  hours: {when: 'now.weekday in [0,1,2,3,4,5,6] && now.hour >= 0 && now.hour < 24'}\n"
	oneInRedis = 5 // of ruled
)

// moreRules compares the cost of a request without rules with that of others that have some.
func (b *bench) moreRules(ctx context.Context, w io.Writer) error {
	r, err := b.replica(ctx, "rules", func(c *stack.Config) { c.Routes, c.Sections = ruledRoutes(b.upstream), hours })
	if err != nil {
		return err
	}
	cookie, err := b.signIn(ctx, r)
	if err != nil {
		return err
	}
	var sides []*side
	for i, rt := range ruled {
		s := b.side(rt.name, r, cookie)
		s.url, s.redis = fmt.Sprintf("http://%s/ruled-%d/alice", r.Address, i), b.stack.Redis.Pid()
		sides = append(sides, s)
	}
	commands := make(map[*side]map[string]float64)
	err = b.interleave(ctx, sides, func(ctx context.Context, s *side) (err error) {
		commands[s], err = b.counted(ctx, s)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprint(w, "CPU time per signed-in proxied request, by what rules its route has\n\n")
	table(w, sides)
	added(w, sides)
	for _, s := range sides[oneInRedis:] {
		printCommands(w, commands[s])
		err = errors.Join(err, oneCommand(s.name, commands[s]))
	}
	return errors.Join(err, b.oneByOne(ctx, w, sides), b.oneRoundTrip(ctx, w, sides), b.decision(ctx, w))
}

func ruledRoutes(upstream string) string {
	var text strings.Builder
	for i, rt := range ruled {
		fmt.Fprintf(&text, "  - path: '/ruled-%d/{name}'\n    upstream: %s\n%s", i, upstream, rt.rules)
	}
	return text.String()
}

// added writes what each side costs more than the first: each round gives one sample.
func added(w io.Writer, sides []*side) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tmedian of what it adds\tmin\tmax\tof Redis\t")
	for _, s := range sides[1:] {
		more, store := make([]float64, len(s.samples)), make([]float64, len(s.samples))
		for i := range more {
			more[i], store[i] = s.samples[i]-sides[0].samples[i], s.store[i]-sides[0].store[i]
		}
		fmt.Fprintf(t, "%s\t%+.1f µs\t%+.1f µs\t%+.1f µs\t%+.1f µs\t\n", s.name, median(more), slices.Min(more), slices.Max(more), median(store))
	}
	_ = t.Flush()
}

// oneCommand is an error where a request with limits in Redis is more than one command. What the script itself calls is counted by Redis, too; the rest is the replica's
// proof that it hears announcements.
func oneCommand(name string, commands map[string]float64) error {
	others := 0.0
	for command, n := range commands {
		if !slices.Contains([]string{"evalsha", "time", "get", "set"}, command) {
			others += n
		}
	}
	if commands["evalsha"] != 1 || commands["time"] != 1 || others > .01 {
		return fmt.Errorf("%s: %.4f scripts and %.4f other commands for each request, want one and none", name, commands["evalsha"], others)
	}
	return nil
}

// oneByOne writes how long requests take one after the other, on a machine that has nothing else to do for Cloakroom.
func (b *bench) oneByOne(ctx context.Context, w io.Writer, sides []*side) error {
	single := *b
	single.connections, single.requests = 1, max(b.requests/20, 100)
	took := make(map[*side][]float64)
	err := b.interleave(ctx, sides, func(ctx context.Context, s *side) error {
		l, err := single.load(ctx, s)
		took[s] = append(took[s], l.Seconds*1e6/float64(max(l.Requests, 1)))
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprint(w, "\nLatency of one request after the other\n\n")
	for _, s := range sides {
		fmt.Fprintf(w, "%s: %.0f µs (%.0f to %.0f)\n", s.name, median(took[s]), slices.Min(took[s]), slices.Max(took[s]))
	}
	return nil
}

// oneRoundTrip moves Redis away and holds the fastest of a few requests against that: limits wait for one answer, together.
func (b *bench) oneRoundTrip(ctx context.Context, w io.Writer, sides []*side) error {
	const away = 40 * time.Millisecond
	b.stack.Redis.Link.Delay(away)
	defer b.stack.Redis.Link.Delay(0)
	fmt.Fprintf(w, "\nThe fastest of ten requests while Redis answers %v late\n\n", away)
	for i, trips := range map[int]time.Duration{0: 0, oneInRedis: 1, oneInRedis + 1: 1} {
		fastest := time.Hour
		for range 10 {
			began := time.Now()
			if err := answers(ctx, sides[i]); err != nil {
				return err
			}
			fastest = min(fastest, time.Since(began))
		}
		fmt.Fprintf(w, "%s: %.1f ms\n", sides[i].name, float64(fastest.Microseconds())/1000)
		if fastest/away != trips {
			return fmt.Errorf("%s: %v, which is %d round trips to Redis instead of %d", sides[i].name, fastest, fastest/away, trips)
		}
	}
	return nil
}

// What a decision in memory may cost.
const (
	decisionTime   = 2000 // nanoseconds
	decisionAllocs = 3
)

// decision measures what roles and an expression cost a request inside, past the noise of a whole request, by a benchmark of package bff: all that a route with rules has
// done that one without has not. The least CPU time of five runs counts: the others are what else the machine does.
func (b *bench) decision(ctx context.Context, w io.Writer) error {
	lines, err := benchmark(ctx, "./bff", "^BenchmarkPermit$/^roles_and_an_expression$", "-count", "5", "-cpu", "1", "-benchtime", "200000x")
	if err != nil {
		return err
	}
	fastest, allocs := math.Inf(1), 0.0
	for _, line := range lines {
		fmt.Fprint(w, line)
		fastest, allocs = min(fastest, reading(line, "cpu-ns/op")), max(allocs, reading(line, "allocs/op"))
	}
	if len(lines) != 5 || fastest > decisionTime || allocs > decisionAllocs {
		return fmt.Errorf("roles and an expression: %.0f ns and %.0f allocations, want at most %d and %d", fastest, allocs, decisionTime, decisionAllocs)
	}
	return nil
}

// reading is the number that stands before a unit in a line of a benchmark; endless where there is none.
func reading(line, unit string) float64 {
	fields := strings.Fields(line)
	if i := slices.Index(fields, unit); i > 0 {
		if n, err := strconv.ParseFloat(fields[i-1], 64); err == nil {
			return n
		}
	}
	return math.Inf(1)
}
