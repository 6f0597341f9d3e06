package bff

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"cloakroom/bff/edge"
	"cloakroom/bff/inbound"
	"cloakroom/proxy"
)

// Streams of callers, the rule: nobody announces the end of a credential, so what a caller has open is looked at again from time to time, and when its credential expires.

// recheck is how often that is.
const recheck = 10 * time.Second

// Why a stream was closed whose caller's credential counts no more.
const (
	expiredReason = "credential_expired"
	revokedReason = "credential_revoked"
)

// guest enters a stream of somebody without a session. leave takes it out again, and says why it is over.
func (r *streams) guest(k proxy.Kind) (leave func(why string), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	bounded, more := 0, 0
	if k != proxy.Answer {
		if r.draining || r.closed || r.open >= maxStreams {
			return nil, &edge.Problem{Code: "streams_full", RetryAfter: retryAfter}
		}
		bounded = 1
	}
	if endless(k) {
		more = 1
	}
	r.open, r.endless = r.open+bounded, r.endless+more
	r.metrics.streamOpened(string(k))
	return func(why string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.open, r.endless = r.open-bounded, r.endless-more
		r.metrics.streamClosed(string(k), why)
		r.idlers.Broadcast()
	}, nil
}

// callersTracker is how the proxy tells of the streams of one caller.
func (s *site) callersTracker(r *http.Request, c *inbound.Caller) proxy.Tracker {
	return func(k proxy.Kind, end func(proxy.Ending)) (func(proxy.Over), error) {
		leave, err := s.streams.guest(k)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithCancel(r.Context())
		why := make(chan string, 1)
		go func() { why <- s.vouch(ctx, r, c, k, end) }()
		return func(by proxy.Over) {
			cancel()
			ended := cmp.Or(<-why, string(by))
			leave(ended)
			edge.From(r.Context()).Ended = ended
		}, nil
	}
}

// vouch ends a stream when its caller's credential counts no more, or this process stops, and says which. It returns when ctx ends.
func (s *site) vouch(ctx context.Context, r *http.Request, c *inbound.Caller, k proxy.Kind, end func(proxy.Ending)) (why string) {
	var stops <-chan struct{} // what finishes by itself may
	if endless(k) {
		stops = s.streams.stops
	}
	for why = s.lapsed(ctx, r, c); why == ""; why = s.lapsed(ctx, r, c) {
		wait := s.streams.recheck
		if !c.Expires.IsZero() {
			wait = min(wait, max(0, c.Expires.Sub(s.now())))
		}
		again := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			again.Stop()
			return ""
		case <-stops:
			again.Stop()
			end(ending(drainReason))
			return drainReason
		case <-again.C:
		}
	}
	if ctx.Err() != nil {
		return "" // it is over anyhow
	}
	end(proxy.Ending{Code: 4401, Reason: why, Cause: &edge.Problem{Code: "bad_credential"}})
	return why
}

// lapsed says why a caller's credential counts no more; empty: it does. While that cannot be found out it counts up to its known end: an outage is no revocation.
func (s *site) lapsed(ctx context.Context, r *http.Request, c *inbound.Caller) (why string) {
	if !c.Expires.IsZero() && !s.now().Before(c.Expires) {
		return expiredReason
	}
	_, err := s.callers.Identify(ctx, r, c.Kind)
	if refusal, refused := errors.AsType[*inbound.Refusal](err); refused && refusal.Status != http.StatusTooManyRequests {
		return revokedReason
	}
	return ""
}
