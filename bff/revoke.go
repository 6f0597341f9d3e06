package bff

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"cloakroom/bff/edge"
	"cloakroom/session"
)

const (
	maxRevocations = 1024 // waiting at once; what comes beyond it is left to expire
	revokers       = 4
	revokeTries    = 4
)

// What became of a revocation, for the metric.
const (
	revoked          = "ok"
	revocationFailed = "failed"  // after all tries
	revocationLost   = "dropped" // too many were waiting, or the server was stopping
)

// revocation is the token of a session that ended.
type revocation struct {
	provider, issuer string
	token, hint      string
	session          string           // for the log: the first characters of its ID
	shared           *session.Session // other replicas may revoke its token, too; nil: nobody else knows it
	owner            session.WriteID  // of the claim
	ended            *session.Session // these came when it had ended already, and it matters why; else nil
}

// revocations are what a revoker needs from others.
type revocations struct {
	claim  func(context.Context, *session.Session, session.WriteID) (bool, error) // true for one owner of all replicas
	revoke func(context.Context, revocation) error
	why    func(context.Context, session.ID) (string, error) // a session ended; session.ErrNone: nobody knows
	count  func(result string)
}

// revoker revokes tokens at the provider (RFC 7009) in the background: a sign-out does not wait for the provider, and does not fail with it.
//
// Where a session ends without its browser, whoever ends it may not be able to read its tokens. So each replica that has it open when it hears the end
// brings them here, and one of them gets the claim. Tokens that only this process knows need none.
type revoker struct {
	revocations
	log       *slog.Logger
	queue     chan revocation
	firstWait time.Duration // doubled after each try
	stop      context.CancelFunc
	done      sync.WaitGroup

	mu     sync.Mutex // guards the queue's end: a handler may outlive the drain
	closed bool
}

// newRevoker starts the workers. Close ends them.
func newRevoker(log *slog.Logger, r revocations) *revoker {
	ctx, stop := context.WithCancel(context.Background())
	v := &revoker{revocations: r, log: log, queue: make(chan revocation, maxRevocations), firstWait: 2 * time.Second, stop: stop}
	for range revokers {
		v.done.Go(func() {
			for r := range v.queue {
				v.try(ctx, r)
			}
		})
	}
	return v
}

// add queues the tokens of a session that only this process knows.
func (v *revoker) add(s *session.Session) { v.put(revocationOf(s)) }

// addShared queues the tokens of an ended session that other replicas may know, too. It does not block.
func (v *revoker) addShared(s *session.Session) {
	r := revocationOf(s)
	r.shared = s
	rand.Read(r.owner[:])
	v.put(r)
}

// addLate queues tokens that a refresh brought after their session had ended. Only this process knows them. Where the user goes on with another session, they are left alone.
func (v *revoker) addLate(s *session.Session) {
	r := revocationOf(s)
	r.ended = s
	v.put(r)
}

// revocationOf is the refresh token, which at most providers takes the access tokens along, or else the access token.
func revocationOf(s *session.Session) revocation {
	r := revocation{provider: s.Provider, issuer: s.Issuer, token: s.Tokens.Refresh, hint: "refresh_token", session: s.ID().Short()}
	if r.token == "" {
		r.token, r.hint = s.Tokens.Access, "access_token"
	}
	return r
}

func (v *revoker) put(r revocation) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		v.failed(r, 0, revocationLost, errStopping)
		return
	}
	select {
	case v.queue <- r:
	default:
		v.failed(r, 0, revocationLost, errTooMany)
	}
}

func (v *revoker) try(ctx context.Context, r revocation) {
	wait := v.firstWait
	for n := 1; ; n++ {
		mine, err := v.once(ctx, &r, n == revokeTries)
		if err == nil {
			if mine {
				v.count(revoked)
				edge.Event(context.Background(), v.log, edge.EventRevoked, r.attrs()...)
			}
			return
		}
		if n == revokeTries || ctx.Err() != nil {
			v.failed(r, n, revocationFailed, err)
			return
		}
		select {
		case <-ctx.Done(): // closing: one last try with what time is left is the next round
		case <-time.After(wait):
			wait *= 2
		}
	}
}

// once is one try. It answers false where another replica does it. While the claim cannot be decided it waits for the next try; in the last one it goes on without: to
// revoke a token twice does no harm.
func (v *revoker) once(ctx context.Context, r *revocation, last bool) (mine bool, err error) {
	if r.shared != nil {
		mine, err = v.claim(ctx, r.shared, r.owner)
		if err == nil && !mine {
			return false, nil
		}
		if err != nil && !last {
			return false, err
		}
		r.shared = nil // it is ours from now on
	}
	if r.ended != nil {
		why, err := v.why(ctx, r.ended.ID())
		switch {
		case err == nil && why == "replaced":
			return false, nil
		case err != nil && !errors.Is(err, session.ErrNone) && !last:
			return false, err
		}
	}
	return true, v.revoke(ctx, *r)
}

// failed records that a token stays good at the provider until it expires.
func (v *revoker) failed(r revocation, tries int, result string, err error) {
	v.count(result)
	edge.Event(context.Background(), v.log, edge.EventRevocationFailed, append(r.attrs(), slog.Int("tries", tries), slog.String("err", err.Error()))...)
}

func (r revocation) attrs() []slog.Attr {
	a := []slog.Attr{slog.String("provider", r.provider), slog.String("hint", r.hint)}
	if r.session != "" {
		a = append(a, slog.String("session", r.session))
	}
	return a
}

var (
	errTooMany  = errors.New("too many are waiting")
	errStopping = errors.New("the server is stopping")
)

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
