package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"cloakroom/e2e/stack"
)

// firstAnswer measures the time from a process' start to its first answers: that it lives, and a signed-in, proxied one.
func (b *bench) firstAnswer(ctx context.Context, w io.Writer) error {
	r, err := b.replica(ctx, "first", nil)
	if err != nil {
		return err
	}
	cookie, err := b.signIn(ctx, r)
	if err != nil {
		return err
	}
	config := b.stack.ConfigPath
	var lives, serves []float64
	for i := range b.pairs {
		began := time.Now()
		r, err := stack.StartReplica(ctx, fmt.Sprintf("start-%d", i), b.program, config, nil)
		if err != nil {
			return err
		}
		alive := &side{url: "http://" + r.Admin + "/livez"}
		for _, ask := range []struct {
			s    *side
			took *[]float64
		}{{alive, &lives}, {b.side("", r, cookie), &serves}} {
			if err := answers(ctx, ask.s); err != nil {
				return err
			}
			*ask.took = append(*ask.took, float64(time.Since(began).Microseconds())/1000)
		}
		if err := r.Stop(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "Time from the start of the process to the first answer, %d starts: median (lowest to highest)\n\n", b.pairs)
	for _, row := range []struct {
		name string
		took []float64
	}{{"GET /livez", lives}, {"signed-in proxied request", serves}} {
		fmt.Fprintf(w, "%s: %.1f ms (%.1f to %.1f)\n", row.name, median(row.took), slices.Min(row.took), slices.Max(row.took))
	}
	return nil
}

// answers asks until the answer is 200.
func answers(ctx context.Context, s *side) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
		if err != nil {
			return fmt.Errorf("ask %s: %w", s.url, err)
		}
		req.Host = s.host
		req.Header = http.Header{"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}, "Cookie": {s.cookie}}
		res, err := client.Do(req)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		if ctx.Err() != nil {
			return fmt.Errorf("ask %s: %w", s.url, context.Cause(ctx))
		}
	}
}
