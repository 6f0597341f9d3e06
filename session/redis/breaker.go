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
	// tripAfter is how many commands in a row get no answer before a server is not asked any more.
	tripAfter = 5
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
// It locks twice a command, as the connection pool does anyway: a hundredth of the processor time of a GET on a connection of its own
// (BenchmarkBreaker, BenchmarkRead). Reads of a crowd go past it as long as all servers answer.
type breaker struct {
	circuit *gobreaker.CircuitBreaker[struct{}]
	failing *atomic.Int64 // when a command last got no answer, in milliseconds since 1970: the Store's
}

// newBreaker makes one for one server. failing is where it notes the time of each failure.
func newBreaker(failing *atomic.Int64) *breaker {
	return &breaker{failing: failing, circuit: gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Timeout:      askAgain,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripAfter },
		IsSuccessful: answered,
		IsExcluded:   func(err error) bool { return err != nil && errors.As(err, new(undecided)) },
	})}
}

// ask runs a command, if the server is asked at all.
func (b *breaker) ask(ctx context.Context, run func() error) error {
	_, err := b.circuit.Execute(func() (struct{}, error) {
		err := run()
		if err != nil && !answered(err) && (errors.Is(err, goredis.ErrClosed) || ctx.Err() != nil && context.Cause(ctx) != errSlow) {
			err = undecided{err}
		}
		return struct{}{}, err
	})
	switch {
	case err == nil:
	case errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests):
		return errLeftAlone
	case answered(err):
	case errors.As(err, new(undecided)):
		return errors.Unwrap(err)
	default:
		b.failing.Store(time.Now().UnixMilli())
	}
	return err
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
