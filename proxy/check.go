package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"
)

// errUnhealthy is a check's answer with another status than a healthy server's.
var errUnhealthy = errors.New("the health check was answered with another status")

// check asks the server for its health until ctx ends: at once, then every interval, and whenever it has been left alone for long enough.
func (s *server) check(ctx context.Context) {
	config := s.up.config.Health
	for timer := time.NewTimer(0); ; {
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.wake:
		case <-timer.C:
			if err := s.probe(ctx, config); err == nil {
				s.succeeded(byCheck)
			} else if ctx.Err() == nil {
				s.failed(byCheck, err)
			}
		}
		interval := config.Interval - time.Duration(rand.Int64N(int64(config.Interval)/10+1)) // not all replicas at once
		timer.Reset(s.health.nextCheck(time.Now(), interval))
	}
}

// probe asks once, over a connection of its own, so that a check neither waits for requests nor takes a place from one. The answer's status counts. A redirect
// is not followed.
func (s *server) probe(ctx context.Context, c HealthConfig) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.scheme+"://"+s.host+escaped(c.Path), nil)
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", "cloakroom-health")
	res, err := s.current.Load().checks.RoundTrip(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // the status is what counts
	if healthy := slices.Contains(c.Status, res.StatusCode) || len(c.Status) == 0 && res.StatusCode/100 == 2; !healthy {
		return fmt.Errorf("%w: %d", errUnhealthy, res.StatusCode)
	}
	return nil
}
