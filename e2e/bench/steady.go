package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// steady is what a load of so many requests a second saw. A request is due at its time, however late the ones before are, and its latency counts from
// then: a server that stands still for a moment is seen by all that come in it.
type steady struct {
	sent    int
	seconds float64
	took    []float64 // milliseconds, sorted
	wrong   []string
}

// ask is a request, and the answers that are right under one configuration or the other.
type ask struct {
	path, cookie string
	right        []string
}

// beside sends the steady load while work runs.
func (t *turning) beside(ctx context.Context, cookie string, work func(context.Context) error) (*steady, error) {
	asks := []ask{
		{"/api/orders", cookie, []string{"200 " + answer}},
		{"/turn/x", cookie, []string{"200 free", "200 guarded"}},
		{"/api/orders", "", []string{"401"}},
		{"/turn/x", "", []string{"200 free", "401"}},
	}
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: t.connections, DisableCompression: true}}
	defer client.CloseIdleConnections()
	s, began := &steady{}, time.Now()
	var mu sync.Mutex
	var next atomic.Int64
	var over atomic.Bool
	var workers sync.WaitGroup
	for range t.connections {
		workers.Go(func() {
			for {
				n := next.Add(1) - 1
				due := began.Add(time.Duration(n) * time.Second / rate)
				if pause(ctx, time.Until(due)) != nil || over.Load() {
					return
				}
				a := asks[n%int64(len(asks))]
				got := t.answer(ctx, client, a)
				mu.Lock()
				s.sent++
				s.took = append(s.took, float64(time.Since(due).Microseconds())/1000)
				if !slices.Contains(a.right, got) {
					s.wrong = append(s.wrong, a.path+": "+got)
				}
				mu.Unlock()
			}
		})
	}
	err := work(ctx)
	over.Store(true)
	workers.Wait()
	s.seconds = time.Since(began).Seconds()
	slices.Sort(s.took)
	return s, err
}

// answer is the status of an answer, and with 200 its body.
func (t *turning) answer(ctx context.Context, client *http.Client, a ask) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.replica.Address+a.path, nil)
	if err != nil {
		return err.Error()
	}
	req.Host = t.side("", t.replica, "").host
	req.Header = http.Header{"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}}
	if a.cookie != "" {
		req.Header.Set("Cookie", a.cookie)
	}
	res, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Sprint(res.StatusCode)
	}
	return "200 " + string(body)
}

// judge is an error where an answer was wrong, or the load was less than it should have been.
func (s *steady) judge() (err error) {
	if len(s.wrong) > 0 {
		err = fmt.Errorf("%d of %d answers were wrong, the first: %s", len(s.wrong), s.sent, s.wrong[0])
	}
	if reached := float64(s.sent) / s.seconds; reached < leastRate {
		err = errors.Join(err, fmt.Errorf("only %.0f requests a second instead of %d: the machine is busy with something else", reached, leastRate))
	}
	return err
}

// String tells it in one line.
func (s *steady) String() string {
	at := func(share float64) float64 { return s.took[min(int(share*float64(len(s.took))), len(s.took)-1)] }
	return fmt.Sprintf("%d in %.1f s, %.0f a second; median %.1f ms, p99 %.1f ms, longest %.1f ms; %d wrong",
		s.sent, s.seconds, float64(s.sent)/s.seconds, at(.5), at(.99), s.took[len(s.took)-1], len(s.wrong))
}
