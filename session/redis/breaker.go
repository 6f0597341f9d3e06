package redis

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
)

const (
	// tripAfter is how many commands in a row get no answer before a server is not asked any more, and tripRounds how often in a row: see rounds.
	tripAfter  = 5
	tripRounds = 2
	// askAgain is how long it is left alone before one command tries again.
	askAgain = 500 * time.Millisecond
)

var (
	// errSlow is the cause of a deadline of ours, as opposed to a caller's.
	errSlow = errors.New("redis: timeout")
	// errLeftAlone says that a server was not asked.
	errLeftAlone = errors.New("it gave no answer to the last commands, and is asked again in a moment")
)

// breaker looks over the commands to one server. When it hangs, some requests wait for their timeout, and from then on one at a time: the others are told at
// once. In a cluster each server has its own, so that the others' sessions go on.
//
// One stall of the server, or of this process on a busy machine, fails all that is under way at the same moment, which may be
// hundreds of commands. That says little about the next one. So failures count in rounds: a round is over with its first failure, and the next one needs a command that was begun after that.
//
// It locks twice a command, as the connection pool does anyway: a hundredth of the processor time of a GET on a connection of its own
// (BenchmarkBreaker, BenchmarkRead). Reads of a crowd go past it as long as all servers answer.
type breaker struct {
	circuit *gobreaker.CircuitBreaker[struct{}]
	health  *health      // of all servers together: the Store's
	rounds  atomic.Int32 // of failures in a row
}

// newBreaker makes one for one server.
func newBreaker(h *health) *breaker {
	b := &breaker{health: h}
	b.circuit = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Timeout: askAgain,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return c.ConsecutiveFailures >= tripAfter && b.rounds.Load() >= tripRounds
		},
		OnStateChange: func(_ string, from, to gobreaker.State) { h.changed(from, to) },
		IsSuccessful:  answered,
		IsExcluded:    func(err error) bool { return err != nil && errors.As(err, new(undecided)) },
	})
	return b
}

// ask runs a command, if the server is asked at all.
func (b *breaker) ask(ctx context.Context, run func() error) error {
	_, err := b.circuit.Execute(func() (struct{}, error) {
		round := b.rounds.Load()
		err := run()
		switch {
		case answered(err):
			if b.rounds.Load() != 0 { // to read is cheaper
				b.rounds.Store(0)
			}
		case errors.Is(err, goredis.ErrClosed):
			err = undecided{err}
		case left(ctx):
			err = undecided{ctx.Err()}
		default:
			b.rounds.CompareAndSwap(round, round+1)
		}
		return struct{}{}, err
	})
	switch {
	case err == nil:
	case errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests):
		b.health.leave()
		return errLeftAlone
	case answered(err):
	case errors.As(err, new(undecided)):
		return errors.Unwrap(err)
	default:
		b.health.failing.Store(time.Now().UnixMilli())
	}
	return err
}

// left tells whether the caller left, rather than that the server was too slow. The connection goes by the same deadline as ctx, and may notice first.
func left(ctx context.Context) bool {
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
		<-ctx.Done()
	}
	return ctx.Err() != nil && context.Cause(ctx) != errSlow
}

// answered tells whether the server said something: also an error is an answer.
func answered(err error) bool {
	var said goredis.Error
	return err == nil || errors.As(err, &said)
}

// undecided is an error that says nothing about the server: the caller left, or the store was closed.
type undecided struct{ error }

// Unwrap makes errors.Is see through it.
func (u undecided) Unwrap() error { return u.error }
