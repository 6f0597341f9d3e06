package bff

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/bff/edge"
	"cloakroom/proxy"
	"cloakroom/session"
)

var errOutage = errors.New("the store is away")

// registry is one with a store that says what the test wants. Its session lives for an hour at most.
type registry struct {
	*streams
	sess *session.Session
	mu   sync.Mutex
	left func() (time.Duration, error)
	mark func(context.Context) (string, error) // what the ended mark says; at first there is none
}

const testIdle = 10 * time.Minute

func newRegistry(t *testing.T) *registry {
	r := &registry{sess: &session.Session{Deadline: time.Now().Add(time.Hour)}}
	r.says(func() (time.Duration, error) { return testIdle, nil })
	r.marked(func(context.Context) (string, error) { return "", session.ErrNone })
	r.streams = newStreams(time.Now, testIdle, questions{
		left: func(context.Context, *session.Session) (time.Duration, error) {
			r.mu.Lock()
			left := r.left
			r.mu.Unlock()
			return left()
		},
		why: func(ctx context.Context, _ session.ID) (string, error) {
			r.mu.Lock()
			mark := r.mark
			r.mu.Unlock()
			return mark(ctx)
		},
	}, newMetrics("test"))
	t.Cleanup(r.close)
	return r
}

// says sets how long the store says that the session lives.
func (r *registry) says(left func() (time.Duration, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = left
}

// marked sets what the ended mark says.
func (r *registry) marked(mark func(context.Context) (string, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mark = mark
}

// opened is a stream of a test. It is over as soon as it is told to end.
type opened struct {
	over   chan struct{}
	once   sync.Once
	mu     sync.Mutex
	reason string
	after  time.Duration
}

func (o *opened) why() string { o.mu.Lock(); defer o.mu.Unlock(); return o.reason }

func (r *registry) opens(t *testing.T, k proxy.Kind) *opened {
	t.Helper()
	o, start := &opened{over: make(chan struct{})}, time.Now()
	done := make(chan func(string) string, 1)
	out, err := r.add(r.sess, k, func(reason string) {
		o.once.Do(func() {
			o.mu.Lock()
			o.reason, o.after = reason, time.Since(start)
			o.mu.Unlock()
			close(o.over)
			go func() { (<-done)("") }()
		})
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	done <- out
	return o
}

// The timer of a session asks when its known expiry has come: requests may have moved it, and no one says so.
func TestAStreamEndsWithTheIdleTimeoutThatRequestsMove(t *testing.T) { // WS-06
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(t)
		r.says(func() (time.Duration, error) { return time.Minute, nil })
		o := r.opens(t, proxy.Socket)
		synctest.Wait()
		r.says(func() (time.Duration, error) { return 2 * time.Minute, nil })
		time.Sleep(time.Minute + askGrace) // the fake clock's minute: the store is asked, and says two more
		if why := o.why(); why != "" {
			t.Fatalf("ended as %s although the session was used", why)
		}
		r.says(func() (time.Duration, error) { return 0, session.ErrNone })
		<-o.over
		if o.why() != "idle_timeout" || o.after.Round(time.Second) != 3*time.Minute {
			t.Errorf("ended as %s after %s, want idle_timeout after 3m", o.why(), o.after)
		}
	})
}

func TestAStreamEndsAtTheDeadlineWhateverTheStoreSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(t)
		o := r.opens(t, proxy.Events)
		r.says(func() (time.Duration, error) { return time.Until(r.sess.Deadline), nil })
		<-o.over
		if o.why() != "lifetime" || o.after.Round(time.Second) != time.Hour {
			t.Errorf("ended as %s after %s", o.why(), o.after)
		}
	})
}

func TestInAnOutageStreamsGoOnToTheirKnownExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(t)
		r.says(func() (time.Duration, error) { return 3 * time.Minute, nil })
		o := r.opens(t, proxy.Socket)
		synctest.Wait()
		r.says(func() (time.Duration, error) { return 0, errOutage })
		r.resubscribed()
		<-o.over
		if o.why() != "idle_timeout" || o.after < 3*time.Minute || o.after > 3*time.Minute+time.Second {
			t.Errorf("ended as %s after %s, want idle_timeout within a second of 3m", o.why(), o.after)
		}
	})
}

func TestWhatEndedUnheardIsFoundWhenAnnouncementsAreHeardAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(t)
		o := r.opens(t, proxy.Socket)
		synctest.Wait()
		r.says(func() (time.Duration, error) { return 0, session.ErrNone })
		r.marked(func(context.Context) (string, error) { return "backchannel", nil })
		synctest.Wait()
		if o.why() != "" {
			t.Fatal("ended before anybody looked")
		}
		r.resubscribed()
		<-o.over
		if o.why() != "backchannel" || o.after > 0 {
			t.Errorf("ended as %s after %s", o.why(), o.after)
		}
	})
}

// Right after an outage the store may have no answer yet: the breaker still leaves it alone when announcements are heard again. The question is asked again then, or what ended unheard
// would go on to its known expiry. The same holds for the question that a stream's opening asks.
func TestAQuestionWithoutAnAnswerIsAskedAgain(t *testing.T) { // law 2
	for name, late := range map[string]func(t *testing.T, r *registry) *opened{
		"when announcements are heard again": func(t *testing.T, r *registry) *opened {
			o := r.opens(t, proxy.Socket)
			synctest.Wait()
			r.says(func() (time.Duration, error) { return 0, errOutage })
			r.resubscribed()
			return o
		},
		"when a stream opens": func(t *testing.T, r *registry) *opened {
			r.says(func() (time.Duration, error) { return 0, errOutage })
			return r.opens(t, proxy.Events)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRegistry(t)
				o := late(t, r)
				time.Sleep(5 * time.Second) // of the fake clock
				if o.why() != "" {
					t.Fatalf("ended as %s although nobody knew", o.why())
				}
				r.says(func() (time.Duration, error) { return 0, session.ErrNone })
				r.marked(func(context.Context) (string, error) { return "backchannel", nil })
				<-o.over
				if o.why() != "backchannel" || o.after > 6*time.Second {
					t.Errorf("ended as %s after %s, want backchannel within a second of the store's return", o.why(), o.after)
				}
			})
		})
	}
}

// The end may come between the check of a request's session and the stream's entry here.
func TestAStreamThatOpensTooLateIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(t)
		r.says(func() (time.Duration, error) { return 0, session.ErrNone })
		o := r.opens(t, proxy.Socket)
		<-o.over
		if o.why() != "ended" || o.after > 0 { // no mark says why
			t.Errorf("ended as %s after %s", o.why(), o.after)
		}
	})
}

func TestAnAnswerHasASecondAfterItsSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(t)
		long, stream := r.opens(t, proxy.Answer), r.opens(t, proxy.Events)
		quick, err := r.add(r.sess, proxy.Answer, func(string) { t.Error("an answer was broken off that was over in time") }, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.gone(r.sess.ID(), "logout")
		quick("")
		<-stream.over
		<-long.over
		if stream.after != 0 || long.after != time.Second {
			t.Errorf("the stream ended after %s, the answer after %s", stream.after, long.after)
		}
	})
}

func TestASessionsStreamsAreBounded(t *testing.T) { // WS-07
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(t)
		code := func(k proxy.Kind) string {
			done, err := r.add(r.sess, k, func(string) {}, nil)
			if err == nil {
				done("")
				return ""
			}
			p, _ := errors.AsType[*edge.Problem](err)
			return p.Code
		}
		var first *opened
		for n := range 32 {
			if o := r.opens(t, []proxy.Kind{proxy.Socket, proxy.Events, ownEvents}[n%3]); first == nil {
				first = o
			}
		}
		if got := code(proxy.Socket); got != "too_many_streams" {
			t.Errorf("the 33rd: %q", got)
		}
		if got := code(proxy.Answer); got != "" {
			t.Errorf("a long answer was refused: %q", got)
		}
		r.gone(r.sess.ID(), "logout")
		synctest.Wait()
		if got := code(proxy.Socket); got != "" {
			t.Errorf("after the others have closed: %q", got)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.open != 0 || len(r.groups) != 0 {
			t.Errorf("%d streams and %d groups are left", r.open, len(r.groups))
		}
	})
}

func TestDrainEndsWhatDoesNotFinishByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(t)
		socket, own, proxied := r.opens(t, proxy.Socket), r.opens(t, ownEvents), r.opens(t, proxy.Events)
		r.drain(t.Context())
		if socket.why() != drainReason || own.why() != drainReason || proxied.why() != "" {
			t.Errorf("socket %q, events %q, proxied events %q", socket.why(), own.why(), proxied.why())
		}
		if _, err := r.add(r.sess, proxy.Socket, func(string) {}, nil); err == nil {
			t.Error("a socket was opened during the drain")
		}
		r.gone(r.sess.ID(), "logout")
		<-proxied.over
		synctest.Wait()
	})
}

func TestADrainWaitsNoLongerThanItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(t)
		done, _ := r.add(r.sess, proxy.Socket, func(string) {}, nil) // it takes no notice
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		start := time.Now()
		r.drain(ctx)
		if took := time.Since(start); took != 20*time.Second {
			t.Errorf("it took %s", took)
		}
		done("")
	})
}
