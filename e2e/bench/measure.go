package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// ticksPerSecond is Linux' USER_HZ, in which /proc counts CPU time.
const ticksPerSecond = 100

// result is what a comparison found.
type result struct {
	cloakroom, bare, ratios []float64
	// commands are Redis' commands per signed-in request, by name.
	commands map[string]float64
	// perSecond are requests per second of wall time, of the last run of each.
	cloakroomRate, bareRate float64
}

// measure lets the two take turns. The first pair warms up and does not count.
func (b *bench) measure(ctx context.Context) (*result, error) {
	r := &result{}
	for pair := range b.pairs + 1 {
		order := []*side{&b.cloakroom, &b.bare}
		if pair%2 == 1 {
			slices.Reverse(order)
		}
		for _, s := range order {
			if err := b.once(ctx, s, r); err != nil {
				return nil, err
			}
		}
	}
	r.cloakroom, r.bare = b.cloakroom.samples[1:], b.bare.samples[1:]
	for i := range r.cloakroom {
		r.ratios = append(r.ratios, r.cloakroom[i]/r.bare[i])
	}
	return r, nil
}

// once runs the load on one side and keeps what it cost.
func (b *bench) once(ctx context.Context, s *side, r *result) error {
	commands, err := b.redisCommands(ctx)
	if err != nil {
		return err
	}
	before, err := cpu(s.pid)
	if err != nil {
		return err
	}
	l, err := b.load(ctx, s)
	if err != nil {
		return err
	}
	after, err := cpu(s.pid)
	if err != nil {
		return err
	}
	s.samples = append(s.samples, float64((after-before).Microseconds())/float64(l.Requests))
	if s == &b.bare {
		r.bareRate = float64(l.Requests) / l.Seconds
		return nil
	}
	r.cloakroomRate = float64(l.Requests) / l.Seconds
	now, err := b.redisCommands(ctx)
	if err != nil {
		return err
	}
	r.commands = make(map[string]float64)
	for name, calls := range now {
		if n := calls - commands[name]; n > 0 && name != "info" {
			r.commands[name] = n / float64(l.Requests)
		}
	}
	return nil
}

// cpu returns the CPU time that a process has used, user and system, all threads.
func cpu(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read cpu time: %w", err)
	}
	_, rest, _ := strings.Cut(string(data), ") ") // the name before it may hold spaces
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("read cpu time: %d fields", len(fields))
	}
	var ticks int64
	for _, field := range fields[11:13] { // utime and stime, proc(5)
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read cpu time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
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

// print writes the table that the README shows.
func (r *result) print(w io.Writer, o options) {
	fmt.Fprintf(w, "CPU time per signed-in proxied request: %d pairs of %d requests, %d keep-alive connections\n\n", o.pairs, o.requests, o.connections)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tmedian\tmin\tmax\treq/s (last)\t")
	row := func(name string, v []float64, rate float64) {
		fmt.Fprintf(t, "%s\t%.1f µs\t%.1f µs\t%.1f µs\t%.0f\t\n", name, median(v), slices.Min(v), slices.Max(v), rate)
	}
	row("cloakroom", r.cloakroom, r.cloakroomRate)
	row("bare ReverseProxy", r.bare, r.bareRate)
	fmt.Fprintf(t, "ratio of a pair\t%.2f\t%.2f\t%.2f\t\t\n", median(r.ratios), slices.Min(r.ratios), slices.Max(r.ratios))
	_ = t.Flush()
	total := 0.0
	var names []string
	for name, n := range r.commands {
		total += n
		names = append(names, fmt.Sprintf("%s %.4f", name, n))
	}
	slices.Sort(names)
	fmt.Fprintf(w, "\nRedis commands per request: %.4f (%s)\n", total, strings.Join(names, ", "))
}

// median returns the middle value.
func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
