package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/session"
)

// world is some processes on one store, in time that moves only when the scheduler lets it. At most one of their goroutines is let go at a time, so a run is its choices.
type world struct {
	t     *testing.T
	set   setting
	store session.Store // as it is, without a network
	begun time.Time
	over  chan struct{}
	wake  chan struct{} // something happened
	quiet sync.WaitGroup

	mu        sync.Mutex // guards all below; the scheduler has it while a message takes effect
	processes []*process
	parked    []*message
	visitors  []*visitor
	ops       []*op
	ends      []*ending
	families  map[string]*family
	sent      map[string][]*sending
	locks     map[session.ID]string
	observer  *session.Manager // looks at the store past the network
	trace     []string
	failure   string
	repeats   int
	undone    int // writes
}

// setting is in what one world differs from another.
type setting struct {
	processes int
	pass      func(time.Duration) // tells a store that has time of its own
	staleness time.Duration       // of copies; 0 where nobody listens
	alone     int                 // 1 where one server takes all writes, else it is two
	limit     int                 // of sessions per user; 0 is none
	refuse    bool                // what is beyond it
	skews     []time.Duration     // of the processes' clocks, in turn
	fickle    *fickle             // the store, if it may lose writes
}

// maxSkew bounds the skews, and slack what comes of two of them: expiries are set by one clock and judged by another.
const (
	maxSkew = 5 * time.Second
	slack   = 2*maxSkew + time.Second
)

func (s setting) config() session.Config {
	cfg := config(firstSecret)
	cfg.Staleness, cfg.MaxPerUser = s.staleness, s.limit
	if s.refuse {
		cfg.OnLimit = session.OnLimitRefuse
	}
	return cfg
}

// process is one replica, from its start to its death.
type process struct {
	w        *world
	name     string
	m        *session.Manager
	dead     bool
	frozen   bool
	faults   int    // what went wrong around it so far
	repeated int    // refreshes that it counted as repeats and has not sent yet
	history  uint64 // a hash of the answers that it got, and when
	skew     time.Duration
	ear      *ear                // its subscription, or nil
	knows    map[session.ID]bool // of whose end it has heard
	stop     context.CancelFunc  // ends its listening
}

func (p *process) now() time.Time { return time.Now().Add(p.skew) }

// visitor is one sign-in of a user's browser, and the session that came of it.
type visitor struct {
	name, user, sid string
	issued          time.Time
	id              session.ID
	indexes         []session.IndexKey
	request         *http.Request // with the ticket, once it was handed out
	expires         time.Time
	ended           bool // an end that is about it was acknowledged
	endedAt         time.Time
	gone            bool // was there once and is not
	goneAt          time.Time
	seen            bool // was there once
	excused         bool // its refresh met a failure that may cost the session
	undone          bool // a failover lost a write of it
	unlisted        bool // a failover lost an index entry of it
}

// ending is an acknowledged back-channel logout.
type ending struct {
	user, sid string
	issued    time.Time
	at        time.Time
	marks     []string // the names of its writes
}

func (e *ending) about(v *visitor) bool {
	return (e.user == "" || e.user == v.user) && (e.sid == "" || e.sid == v.sid) && !v.issued.After(e.issued)
}

func newWorld(t *testing.T, st session.Store, set setting) *world {
	w := &world{
		t: t, store: st, set: set, begun: time.Now(), over: make(chan struct{}), wake: make(chan struct{}, 1),
		families: map[string]*family{}, sent: map[string][]*sending{}, locks: map[session.ID]string{},
	}
	w.observer = w.manager(st, session.Deps{Refresh: func(context.Context, *session.Session) (session.Refreshed, error) {
		return session.Refreshed{}, session.ErrUnsent
	}})
	w.mu.Lock()
	for range set.processes {
		w.start()
	}
	w.mu.Unlock()
	w.settle()
	return w
}

func (w *world) manager(st session.Store, d session.Deps) *session.Manager {
	m, err := session.New(w.set.config(), st, d)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// start starts a process.
func (w *world) start() *process {
	p := &process{w: w, name: string(rune('A' + len(w.processes))), knows: map[session.ID]bool{}}
	if n := len(w.set.skews); n > 0 {
		p.skew = w.set.skews[len(w.processes)%n]
	}
	p.m = w.manager(link{p, w.store}, session.Deps{Refresh: p.refresh, Now: p.now, Refreshed: func(result string) {
		if result == session.RefreshRepeated {
			p.repeated++
		}
	}})
	w.processes = append(w.processes, p)
	ctx, stop := context.WithCancel(context.Background())
	if p.stop = stop; w.set.staleness > 0 {
		w.quiet.Go(func() { p.m.Watch(ctx) })
	}
	return p
}

func (w *world) elapsed() time.Duration { return time.Since(w.begun) }

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%12s  ", w.elapsed())+fmt.Sprintf(format, args...))
}

// broken notes the first rule that was broken.
func (w *world) broken(format string, args ...any) {
	if w.failure == "" {
		w.failure = fmt.Sprintf(format, args...)
		w.note("BROKEN: %s", w.failure)
	}
}

// fault notes that something went wrong with a message. If that was part of a refresh, the session may be lost.
func (w *world) fault(m *message) {
	m.from.faults++
	if m.about != nil && m.flight {
		m.about.excused = true
	}
}

// settle lets everybody run until all of them wait.
func (w *world) settle() { synctest.Wait() }

// sleep lets time pass, until something happens if first is set.
func (w *world) sleep(d time.Duration, first bool) {
	select {
	case <-w.wake:
	default:
	}
	before := time.Now()
	timer := time.NewTimer(d)
	defer timer.Stop()
	wake := w.wake
	if !first {
		wake = nil
	}
	select {
	case <-wake:
	case <-timer.C:
	}
	w.settle()
	if w.set.pass != nil {
		w.set.pass(time.Since(before))
	}
}

// kill ends a process between two steps. What it sent goes nowhere.
func (w *world) kill(p *process) {
	p.dead = true
	p.stop()
	if p.ear != nil {
		p.ear.snap()
	}
	for _, m := range w.parked {
		if m.from == p {
			w.fault(m)
			m.left = true
		}
	}
	w.note("%s dies", p.name)
}

// close ends the world and waits for everybody in it.
func (w *world) close() {
	w.mu.Lock()
	close(w.over)
	for _, p := range w.processes {
		p.stop()
	}
	for _, o := range w.ops {
		if o.begun {
			o.hangUp()
		}
	}
	w.mu.Unlock()
	w.quiet.Wait()
	for _, p := range w.processes {
		if err := p.m.Close(context.Background()); err != nil {
			w.t.Error(err)
		}
	}
}

// story is the trace, to be read after a failure.
func (w *world) story() string { return strings.Join(w.trace, "\n") }

// truth is what the store holds of v, or nil.
func (w *world) truth(v *visitor) *session.Session {
	if v == nil || v.request == nil {
		return nil
	}
	s, err := w.observer.Peek(v.request)
	if err != nil {
		return nil
	}
	return s
}

// op is one thing that somebody wants of a process: a request, a sign-in, an end.
type op struct {
	name   string
	p      *process
	kind   string
	about  *visitor         // may be nil
	held   *session.Session // what was read before, for a use
	starts *visitor         // the sign-in, for a start
	end    *ending          // for a back-channel logout
	before bool             // about had ended for good when it began
	knew   bool             // and the process had heard of it
	faults int              // of its process when it began
	at     time.Time
	over   time.Time
	ctx    context.Context
	hangUp context.CancelFunc
	begun  bool
	done   bool
	err    error
}

type opKey struct{}

// requestTime is how long a client waits.
const requestTime = 40 * time.Second

// begin starts an op in a goroutine of its own.
func (w *world) begin(o *op) {
	ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), opKey{}, o), requestTime)
	o.ctx, o.hangUp, o.begun, o.at, o.faults = ctx, cancel, true, time.Now(), o.p.faults
	if o.about != nil {
		o.before, o.knew = o.about.ended, o.p.knows[o.about.id]
	}
	if o.kind == "use" || o.kind == "uses" {
		o.held = w.truth(o.about)
	}
	w.note("%s: begins %s", o.p.name, o)
	w.quiet.Go(func() {
		defer cancel()
		ack := w.act(o)
		w.mu.Lock()
		defer w.mu.Unlock()
		if !o.p.dead {
			ack()
		}
		o.done, o.over = true, time.Now()
		select {
		case w.wake <- struct{}{}:
		default:
		}
	})
}

func (o *op) String() string {
	s := o.name + " " + o.kind
	switch {
	case o.about != nil:
		s += " of " + o.about.name
	case o.starts != nil:
		s += fmt.Sprintf(" of %s: %s, %s", o.starts.name, o.starts.user, o.starts.sid)
	case o.end != nil:
		s += fmt.Sprintf(" of %s %s", o.end.user, o.end.sid)
	}
	return s
}

// act does it, and returns what to note if the process is still alive.
func (w *world) act(o *op) (ack func()) {
	switch o.kind {
	case "request":
		s, err := o.p.m.FromRequest(o.about.request.WithContext(o.ctx))
		if err == nil {
			s, err = o.p.m.AccessToken(o.ctx, s)
		}
		return func() { w.read(o, s, err) }
	case "look":
		s, err := o.p.m.Peek(o.about.request.WithContext(o.ctx))
		return func() { w.read(o, s, err) }
	case "use":
		s, err := o.p.m.AccessToken(o.ctx, o.held)
		return func() { w.read(o, s, err) }
	case "uses": // one after the other, each when whatever became of the last one is over
		s, err := o.p.m.AccessToken(o.ctx, o.held)
		for range 2 {
			time.Sleep(longTime / 2)
			s, err = o.p.m.AccessToken(o.ctx, o.held)
		}
		return func() { w.read(o, s, err) }
	case "retry":
		s, err := o.p.m.Peek(o.about.request.WithContext(o.ctx))
		if err == nil {
			s, err = o.p.m.OtherToken(o.ctx, s)
		}
		return func() { w.read(o, s, err) }
	case "keepalive":
		s, err := o.p.m.Peek(o.about.request.WithContext(o.ctx))
		if err == nil {
			err = o.p.m.KeepAlive(o.ctx, s)
		}
		return func() { w.read(o, s, err) }
	case "logout":
		s, err := o.p.m.Peek(o.about.request.WithContext(o.ctx))
		if err == nil {
			err = o.p.m.EndOne(o.ctx, s, "logout")
		}
		return func() { w.acknowledged(o, err) }
	case "end":
		err := o.p.m.End(o.ctx, o.about.id, "admin")
		return func() { w.acknowledged(o, err) }
	case "backchannel":
		_, err := o.p.m.EndByProvider(o.ctx, issuer, o.end.user, o.end.sid, o.end.issued)
		return func() { w.acknowledged(o, err) }
	}
	answer := httptest.NewRecorder()
	v := o.starts
	s := &session.Session{Issuer: issuer, Subject: v.user, ProviderSession: v.sid, IssuedAt: v.issued, Tokens: tokens("access "+v.name, v.name+"+", time.Now())}
	err := o.p.m.Start(o.ctx, answer, s)
	return func() { w.started(o, answer, err) }
}

const issuer = "https://id.test"

// saw adds to what a process knows.
func (p *process) saw(key, result string, at time.Duration) {
	for _, b := range []byte(fmt.Sprint(key, result, at)) {
		p.history = p.history*1099511628211 ^ uint64(b)
	}
}

// isNone tells a clear "nobody is signed in".
func isNone(err error) bool { return errors.Is(err, session.ErrNone) }
