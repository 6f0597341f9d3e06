package bff

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"cloakroom/bff/edge"
	"cloakroom/session"
)

const (
	maxRevocations = 1024 // waiting at once; what comes beyond it is left to expire
	revokeTries    = 4
)

// revocation is the token of a session that ended.
type revocation struct{ provider, token, hint string }

// revoker revokes tokens at the provider (RFC 7009) in the background: a sign-out does not wait for the provider, and does not fail with it.
type revoker struct {
	revoke    func(ctx context.Context, r revocation) error
	log       *slog.Logger
	queue     chan revocation
	firstWait time.Duration // doubled after each try
	stop      context.CancelFunc
	done      sync.WaitGroup

	mu     sync.Mutex // guards the queue's end: a handler may outlive the drain
	closed bool
}

// newRevoker starts the workers. Close ends them.
func newRevoker(log *slog.Logger, revoke func(context.Context, revocation) error) *revoker {
	ctx, stop := context.WithCancel(context.Background())
	v := &revoker{revoke: revoke, log: log, queue: make(chan revocation, maxRevocations), firstWait: 2 * time.Second, stop: stop}
	for range 4 {
		v.done.Go(func() {
			for r := range v.queue {
				v.try(ctx, r)
			}
		})
	}
	return v
}

// add queues the tokens of an ended session: the refresh token, which at most providers takes the access tokens along, or else the access token.
func (v *revoker) add(s *session.Session) {
	r := revocation{s.Provider, s.Tokens.Refresh, "refresh_token"}
	if r.token == "" {
		r.token, r.hint = s.Tokens.Access, "access_token"
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return
	}
	select {
	case v.queue <- r:
	default:
		v.failed(r, 0, errTooMany)
	}
}

func (v *revoker) try(ctx context.Context, r revocation) {
	wait := v.firstWait
	for n := 1; ; n++ {
		err := v.revoke(ctx, r)
		if err == nil {
			return
		}
		if n == revokeTries || ctx.Err() != nil {
			v.failed(r, n, err)
			return
		}
		select {
		case <-ctx.Done(): // closing: one last try with what time is left is the next round
		case <-time.After(wait):
			wait *= 2
		}
	}
}

// failed records that a token stays good at the provider until it expires.
func (v *revoker) failed(r revocation, tries int, err error) {
	edge.Event(context.Background(), v.log, edge.EventRevocationFailed, slog.String("provider", r.provider), slog.String("hint", r.hint),
		slog.Int("tries", tries), slog.String("err", err.Error()))
}

var errTooMany = errors.New("too many are waiting")

// close lets the queue drain until ctx ends, then gives up what is left.
func (v *revoker) close(ctx context.Context) {
	v.mu.Lock()
	v.closed = true
	close(v.queue)
	v.mu.Unlock()
	drained := make(chan struct{})
	go func() { v.done.Wait(); close(drained) }()
	select {
	case <-drained:
	case <-ctx.Done():
	}
	v.stop()
	<-drained
}
