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

// side is one of those that are compared.
type side struct {
	name    string
	pid     int
	redis   int // the pid of its Redis, whose CPU time counts apart; 0: not asked
	url     string
	host    string
	cookie  string
	want    string    // the right answer; empty: the upstream's
	samples []float64 // microseconds of CPU per request
	store   []float64 // the same of its Redis
	rate    float64   // requests per second of wall time, of the last run
}

// interleave lets the sides take turns, each round beginning with another one. The first round warms up and does not count.
func (b *bench) interleave(ctx context.Context, sides []*side, once func(context.Context, *side) error) error {
	for round := range b.pairs + 1 {
		for i := range sides {
			if err := once(ctx, sides[(i+round)%len(sides)]); err != nil {
				return err
			}
		}
		if round == 0 {
			for _, s := range sides {
				s.samples, s.store = nil, nil
			}
		}
	}
	return nil
}

// once runs the load on one side and keeps what it cost.
func (b *bench) once(ctx context.Context, s *side) error {
	pids := []int{s.pid}
	if s.redis != 0 {
		pids = append(pids, s.redis)
	}
	before, err := cpu(pids...)
	if err != nil {
		return err
	}
	l, err := b.load(ctx, s)
	if err != nil {
		return err
	}
	after, err := cpu(pids...)
	if err != nil {
		return err
	}
	each := func(i int) float64 { return float64((after[i] - before[i]).Microseconds()) / float64(l.Requests) }
	s.samples = append(s.samples, each(0))
	if s.redis != 0 {
		s.store = append(s.store, each(1))
	}
	s.rate = float64(l.Requests) / l.Seconds
	return nil
}

// cpu returns the CPU time that processes have used, user and system, all threads.
func cpu(pids ...int) (used []time.Duration, err error) {
	for _, pid := range pids {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return nil, fmt.Errorf("read cpu time: %w", err)
		}
		_, rest, _ := strings.Cut(string(data), ") ") // the name before it may hold spaces
		fields := strings.Fields(rest)
		if len(fields) < 13 {
			return nil, fmt.Errorf("read cpu time: %d fields", len(fields))
		}
		var ticks int64
		for _, field := range fields[11:13] { // utime and stime, proc(5)
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("read cpu time: %w", err)
			}
			ticks += n
		}
		used = append(used, time.Duration(ticks)*time.Second/ticksPerSecond)
	}
	return used, nil
}

// table writes what each side cost.
func table(w io.Writer, sides []*side) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tmedian\tmin\tmax\tof Redis\trequests/s (last)\t")
	for _, s := range sides {
		store := ""
		if s.redis != 0 {
			store = fmt.Sprintf("%.1f µs", median(s.store))
		}
		fmt.Fprintf(t, "%s\t%.1f µs\t%.1f µs\t%.1f µs\t%s\t%.0f\t\n", s.name, median(s.samples), slices.Min(s.samples), slices.Max(s.samples), store, s.rate)
	}
	_ = t.Flush()
}

// ratio writes what one side costs beside another, and returns the median: each round gives one sample.
func ratio(w io.Writer, one, other *side) float64 {
	ratios := make([]float64, len(one.samples))
	for i := range ratios {
		ratios[i] = one.samples[i] / other.samples[i]
	}
	fmt.Fprintf(w, "%s / %s: %.2f (%.2f to %.2f)\n", one.name, other.name, median(ratios), slices.Min(ratios), slices.Max(ratios))
	return median(ratios)
}

// median returns the middle value.
func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}
