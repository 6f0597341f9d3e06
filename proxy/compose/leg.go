package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/alecthomas/units"
)

// Outcome is how it went with a leg.
type Outcome string

// The outcomes of legs.
const (
	OK          Outcome = "ok"
	Unreachable Outcome = "unreachable" // no answer, or one that broke off
	TimedOut    Outcome = "timeout"     // no whole answer in time
	Status      Outcome = "status"      // an answer that is neither 200 nor 204
	TooLarge    Outcome = "too_large"   // more than max_body
	Malformed   Outcome = "malformed"   // not JSON as strict.go takes it
	NoRoom      Outcome = "no_room"     // all composed answers together take as much memory as they may
	NoToken     Outcome = "no_token"    // there was no token to ask with
	Cancelled   Outcome = "cancelled"   // not needed any more: another leg failed, or the request is over
)

// Failure is a required leg that failed. Its text names the leg as the configuration does, and holds nothing of what the upstream said.
type Failure struct {
	// Leg is its name.
	Leg string
	// Outcome says how it failed.
	Outcome Outcome
	// Status is the upstream's, where Outcome is Status.
	Status int
	// RetryAfter is how long the upstream asks to wait, where it does; at most a day.
	RetryAfter time.Duration
	// Err is the cause, for the log.
	Err error
}

// Error is for the log.
func (f *Failure) Error() string {
	text := fmt.Sprintf("leg %s: %s", f.Leg, f.Outcome)
	if f.Status != 0 {
		text += " " + strconv.Itoa(f.Status)
	}
	if f.Err != nil {
		text += ": " + f.Err.Error()
	}
	return text
}

// Unwrap is the cause.
func (f *Failure) Unwrap() error { return f.Err }

// ErrToken is to be wrapped by a [Fetch] that has no token to ask with.
var ErrToken = errors.New("no token for the leg")

// Fetch asks the upstream of a leg. It follows no redirect, ends when ctx does, and its errors hold nothing of what an upstream said.
type Fetch func(ctx context.Context, leg string, t Target) (*http.Response, error)

// part is what became of a leg.
type part struct {
	raw   []byte
	value any // decoded, where there is a shape
	took  time.Duration
	fail  *Failure // nil: all is well
	panic any
}

var null = []byte("null")

var errLegTime = fmt.Errorf("the leg took too long: %w", context.DeadlineExceeded)

// ask gets one leg. All of it counts against the leg's timeout, its token included.
func (l *leg) ask(ctx context.Context, fetch Fetch, t Target, parse bool, room *share) (p part) {
	defer func(start time.Time) {
		p.took = time.Since(start)
		p.panic = recover() // in a goroutine of its own it would end the process; run goes on with it
	}(time.Now())
	ctx, cancel := context.WithTimeoutCause(ctx, l.Timeout, errLegTime)
	defer cancel()
	res, err := fetch(ctx, l.name, t)
	if err != nil {
		return part{fail: l.failure(ctx, Unreachable, err)}
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusNoContent {
		io.CopyN(io.Discard, res.Body, 4<<10) // a short answer read to its end leaves the connection fit for use
		return part{fail: &Failure{Leg: l.name, Outcome: Status, Status: res.StatusCode, RetryAfter: retryAfter(res.Header)}}
	}
	if res.StatusCode == http.StatusNoContent {
		return part{raw: null}
	}
	if err := typed(res.Header); err != nil {
		return part{fail: l.failure(ctx, Malformed, err)}
	}
	body, err := read(res, int64(l.MaxBody), room)
	switch {
	case errors.Is(err, errRoom):
		return part{fail: &Failure{Leg: l.name, Outcome: NoRoom}}
	case errors.Is(err, errBody):
		return part{fail: l.failure(ctx, TooLarge, nil)}
	case err != nil:
		return part{fail: l.failure(ctx, Unreachable, errBroken)}
	}
	return l.parsed(ctx, body, parse)
}

// parsed holds a body against the rules, and reads it where there is a shape.
func (l *leg) parsed(ctx context.Context, body []byte, keep bool) part {
	v, err := decode(body, keep)
	if err != nil {
		return part{fail: l.failure(ctx, Malformed, err)}
	}
	return part{raw: body, value: v}
}

// failure says what a failed leg comes down to. Who ended it counts before what was seen of it.
func (l *leg) failure(ctx context.Context, o Outcome, err error) *Failure {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errLegTime):
		o, err = TimedOut, nil
	case cause != nil:
		o, err = Cancelled, cause
	case errors.Is(err, ErrToken):
		o = NoToken
	}
	return &Failure{Leg: l.name, Outcome: o, Err: err}
}

var (
	errBody   = errors.New("the answer is too large")
	errBroken = errors.New("the answer broke off")
)

// read reads no more than limit bytes.
func read(res *http.Response, limit int64, room *share) ([]byte, error) {
	if res.ContentLength > limit {
		return nil, errBody
	}
	var b bytes.Buffer
	if res.ContentLength > 0 {
		b.Grow(int(min(res.ContentLength, int64(units.MiB))) + bytes.MinRead) // more only as it comes
	}
	if n, err := b.ReadFrom(counted{io.LimitReader(res.Body, limit+1), room}); err != nil || n > limit {
		return nil, errors.Join(err, tooLong(n, limit))
	}
	return b.Bytes(), nil
}

func tooLong(n, limit int64) error {
	if n > limit {
		return errBody
	}
	return nil
}

// retryAfter is an upstream's Retry-After in seconds.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.ParseUint(h.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return min(time.Duration(n)*time.Second, 24*time.Hour)
}
