package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"cloakroom/configs/secret"
	"cloakroom/proxy/compose"
	"cloakroom/proxy/tokens"
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

// A server is blamed for the time that it had itself: not where half of a leg's went by until there was a token, or a newer one. Nor is it cleared of anything else.
func TestTimeThatALegsTokenTookIsNotItsServers(t *testing.T) {
	half := func(ctx context.Context) {
		deadline, _ := ctx.Deadline()
		<-time.After(time.Until(deadline) / 2)
	}
	for name, c := range map[string]struct {
		token, renewal func(context.Context)
		failures       uint64
	}{
		"a token that is there":         {func(context.Context) {}, nil, 1},
		"a token that takes its time":   {half, nil, 0},
		"a renewal that takes its time": {func(context.Context) {}, half, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBuffet(t, func(b *buffet, conf *Config) {
				b.caller.TokenFor = func(ctx context.Context, _ tokens.Token) (string, func(context.Context) (string, bool), error) {
					c.token(ctx)
					return "first", func(ctx context.Context) (string, bool) { c.renewal(ctx); return "second", true }, nil
				}
				l := b.leg("/slow")
				l.Timeout = 200 * time.Millisecond
				conf.Legs = map[string]compose.Leg{"slow": l}
				b.mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
					if c.renewal != nil && r.Header.Get("Authorization") == "Bearer first" {
						w.WriteHeader(http.StatusUnauthorized)
						return
					}
					<-r.Context().Done()
				})
			})
			if res, _ := get(t, b.URL+"/api/home"); res.StatusCode == 200 {
				t.Fatal("it has answered")
			}
			b.up.CloseClientConnections()
			if got := b.table.Upstreams()[0].Failures; got != c.failures || !slices.Equal(b.outcomes, []string{"slow timeout"}) {
				t.Errorf("%d failures, %v", got, b.outcomes)
			}
			b.up.Listener.Close()
			b.caller.TokenFor = func(ctx context.Context, _ tokens.Token) (string, func(context.Context) (string, bool), error) {
				half(ctx)
				return "first", nil, nil
			}
			get(t, b.URL+"/api/home")
			if got := b.table.Upstreams()[0].Failures; got != c.failures+1 {
				t.Errorf("%d failures of a server that takes no connection", got)
			}
		})
	}
}
