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

// measure lets them take turns. The first round warms up and does not count. It returns Redis' commands per signed-in request, by name.
func (b *bench) measure(ctx context.Context) (commands map[string]float64, err error) {
	for round := range b.pairs + 1 {
		for i := range b.sides {
			s := b.sides[(i+round)%len(b.sides)]
			if s == b.sides[0] {
				commands, err = b.counted(ctx, s)
			} else {
				err = b.once(ctx, s)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	for _, s := range b.sides {
		s.samples = s.samples[1:]
	}
	return commands, nil
}

// once runs the load on one side and keeps what it cost.
func (b *bench) once(ctx context.Context, s *side) error {
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
	s.rate = float64(l.Requests) / l.Seconds
	return nil
}

// counted is once with Redis' own count of commands around it.
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
func (b *bench) print(w io.Writer, commands map[string]float64) {
	fmt.Fprintf(w, "CPU time per signed-in proxied request: %d interleaved rounds of %d requests, %d keep-alive connections\n\n",
		b.pairs, b.requests, b.connections)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tmedian\tmin\tmax\trequests/s (last)\t")
	for _, s := range b.sides {
		fmt.Fprintf(t, "%s\t%.1f µs\t%.1f µs\t%.1f µs\t%.0f\t\n", s.name, median(s.samples), slices.Min(s.samples), slices.Max(s.samples), s.rate)
	}
	for _, s := range b.sides[1:] {
		ratios := make([]float64, len(s.samples))
		for i := range ratios {
			ratios[i] = b.sides[0].samples[i] / s.samples[i]
		}
		fmt.Fprintf(t, "cloakroom / %s\t%.2f\t%.2f\t%.2f\t\t\n", s.name, median(ratios), slices.Min(ratios), slices.Max(ratios))
	}
	_ = t.Flush()
	total := 0.0
	var names []string
	for name, n := range commands {
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
