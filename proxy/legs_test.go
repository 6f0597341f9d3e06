package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"cloakroom/configs/secret"
	"cloakroom/proxy/compose"
)

// What a leg's own headers say is not the client's to say, whatever becomes of a name on its way.
func TestALegsOwnHeadersAreSaidOnce(t *testing.T) {
	b := newBuffet(t, func(b *buffet, c *Config) {
		me := b.leg("/me")
		me.Headers = map[string]secret.String{"idempotency-key": "ours", "X-Api-Version": "2"}
		c.Legs["me"] = me
	})
	get(t, b.URL+"/api/home", "Idempotency-Key", "theirs", "X-Api-Version", "9")
	if h := b.got("/me").Header; !slices.Equal(h["Idempotency-Key"], []string{"ours"}) || !slices.Equal(h["X-Api-Version"], []string{"2"}) {
		t.Errorf("the leg was told %v", h)
	}
}

// A server whose answer nobody waits for any more, because another leg's server could not be reached in time, has not failed.
func TestALegThatTimesOutIsNoFailureOfAnothersServer(t *testing.T) {
	_, err := (&net.Dialer{Timeout: time.Nanosecond}).Dial("tcp", "127.0.0.1:9")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&LegFailure{Leg: "other", Outcome: compose.Unreachable, Err: loggable(err)})
	if blames(ctx) {
		t.Error("it counts against this leg's server")
	}
	own, stop := context.WithTimeoutCause(t.Context(), 0, fmt.Errorf("the leg took too long: %w", context.DeadlineExceeded))
	defer stop()
	if <-own.Done(); !blames(own) {
		t.Error("its own slowness does not")
	}
}
