package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	goredis "github.com/redis/go-redis/v9"

	"cloakroom/session"
)

// maxAsked bounds the pings that wait for an answer.
const maxAsked = 256

var (
	errTopology   = errors.New("other servers take the writes now")
	errOver       = errors.New("subscription is over")
	errNonsense   = errors.New("server says what it should not")
	errUnanswered = errors.New("too many pings wait for an answer")
)

// listener hears the announcements of all servers that take writes, as one. Each server answers a ping after everything that it published
// before, and an ear passes on what it hears in order; so when the last of them has passed a ping's answer on, everything that any of them published before the ping
// has been passed on, too. If one ear fails, all do.
type listener struct {
	store     *Store
	primaries func(context.Context) (map[string]*goredis.Client, error)
	beacon    string          // see Ping; empty without
	ears      map[string]*ear // by address
	events    chan session.Event
	stop      context.Context // ends with the first failure, which is its cause, or by Close
	fail      context.CancelCauseFunc
	all       sync.WaitGroup

	mu    sync.Mutex
	asked map[string]int // pings, and how many answers are missing
}

// Listen subscribes at every server that takes writes.
func (s *Store) Listen(ctx context.Context) (session.Listener, error) {
	l := &listener{store: s, primaries: s.primaries}
	if one, ok := any(s.client).(*goredis.Client); ok && one.Options().Addr == followed {
		l.beacon = rand.Text()
	}
	if err := l.begin(ctx); err != nil {
		return nil, s.outage("subscribe", err)
	}
	return l, nil
}

// followed stands for an address where the library asks sentinels for the primary's.
const followed = "FailoverClient"

// begin returns when every server has confirmed.
func (l *listener) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.store.timeout)
	defer cancel()
	l.ears, l.events, l.asked = map[string]*ear{}, make(chan session.Event), map[string]int{}
	l.stop, l.fail = context.WithCancelCause(context.Background())
	servers, err := l.primaries(ctx)
	if err != nil {
		return err
	}
	for addr, client := range servers {
		e, err := subscribe(ctx, client.Options(), l.store.channel())
		if err != nil {
			_ = l.Close()
			return err
		}
		l.ears[addr] = e
	}
	for _, e := range l.ears {
		l.all.Go(func() { l.fail(l.hear(e)) })
	}
	return nil
}

// Ping asks every server. If they are not those that were subscribed to, that is a failure: what the others publish is not heard.
//
// Behind sentinels one more answer is wanted, a message that takes the way of all commands. For a primary that was replaced, and that nobody has told yet, answers
// pings as ever; what the new one publishes it does not.
func (l *listener) Ping(ctx context.Context, payload string) error {
	ctx, cancel := context.WithTimeout(ctx, l.store.timeout)
	defer cancel()
	if err := l.ping(ctx, payload); err != nil {
		l.fail(err)
		return l.store.outage("ping", err)
	}
	return nil
}

func (l *listener) ping(ctx context.Context, payload string) error {
	if l.stop.Err() != nil {
		return context.Cause(l.stop)
	}
	servers, err := l.primaries(ctx)
	if err != nil {
		return err
	}
	if !slices.Equal(slices.Sorted(maps.Keys(servers)), slices.Sorted(maps.Keys(l.ears))) {
		return errTopology
	}
	if err := l.ask(payload); err != nil {
		return err
	}
	for _, e := range l.ears {
		if err := e.pubsub.Ping(ctx, payload); err != nil {
			return err
		}
	}
	if l.beacon == "" {
		return nil
	}
	return l.store.client.Publish(ctx, l.store.channel(), noteMark+l.beacon+" "+payload).Err()
}

// ask notes a ping before it is sent.
func (l *listener) ask(payload string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.asked) >= maxAsked {
		return errUnanswered
	}
	l.asked[payload] = len(l.ears)
	if l.beacon != "" {
		l.asked[payload]++
	}
	return nil
}

// Receive waits for what is next.
func (l *listener) Receive(ctx context.Context) (session.Event, error) {
	select {
	case e := <-l.events:
		return e, nil
	case <-l.stop.Done():
		return session.Event{}, l.store.outage("listen", context.Cause(l.stop))
	case <-ctx.Done():
		return session.Event{}, context.Cause(ctx)
	}
}

// Close lets go of the connections and waits for the ears.
func (l *listener) Close() error {
	l.fail(errOver)
	for _, e := range l.ears {
		e.close()
	}
	l.all.Wait()
	return nil
}

// hear passes on what one server says, and returns why it cannot any more. Nothing is dropped: an ear that cannot pass on does not read on, and
// if that takes too long Redis closes the connection.
func (l *listener) hear(e *ear) (err error) {
	defer func() {
		if recover() != nil { // the library takes an answer's shape for granted
			err = errNonsense
		}
	}()
	var over session.ID // of the end that was heard last, if nothing came after it
	for {
		said, err := e.pubsub.Receive(context.Background()) // close ends it
		if err != nil {
			return err
		}
		event, err := l.understand(said)
		if err != nil {
			return err
		}
		if event == (session.Event{}) || event == (session.Event{ID: over}) {
			continue // it means nothing, or is an end that was heard just before, with its reason
		}
		if over = ""; event.Version == 0 && !event.Prolonged {
			over = event.ID // none, of a pong
		}
		select {
		case l.events <- event:
		case <-l.stop.Done():
			return errOver
		}
	}
}

// understand makes an event of what a server said; the zero one where it means nothing yet, or not to us.
func (l *listener) understand(said any) (session.Event, error) {
	switch said := said.(type) {
	case *goredis.Pong:
		return l.answered(said.Payload)
	case *goredis.Message:
		if payload, ours := strings.CutPrefix(said.Payload, noteMark+l.beacon+" "); ours && l.beacon != "" {
			return l.answered(payload)
		}
		return parseAnnouncement(said.Payload)
	}
	return session.Event{}, errNonsense // a second subscription is not ours, and what was said before it is lost
}

// answered counts answers to a ping. The last one answers it.
func (l *listener) answered(payload string) (session.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	missing, ok := l.asked[payload]
	if !ok {
		return session.Event{}, errNonsense
	}
	if missing--; missing > 0 {
		l.asked[payload] = missing
		return session.Event{}, nil
	}
	delete(l.asked, payload)
	return session.Event{Pong: payload}, nil
}

// ear is one subscribed connection. The library would open another behind our back when it breaks, and so lose what was published in between; so it
// gets a client of its own, which may dial once.
type ear struct {
	client *goredis.Client
	pubsub *goredis.PubSub
}

// subscribe returns when the server has confirmed the subscription.
func subscribe(ctx context.Context, opt *goredis.Options, channel string) (*ear, error) {
	own := *opt
	own.PoolSize, own.MinIdleConns = 1, 0
	own.Dialer = dialOnce(opt.Dialer)
	client := goredis.NewClient(&own)
	e := &ear{client: client, pubsub: client.Subscribe(ctx)}
	closes := context.AfterFunc(ctx, e.close) // the library waits for an answer until a deadline, whatever ctx does
	defer closes()
	err := e.pubsub.Subscribe(ctx, channel)
	if err == nil {
		err = e.confirmed(ctx)
	}
	if err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

func (e *ear) confirmed(ctx context.Context) (err error) {
	defer func() {
		if recover() != nil {
			err = errNonsense
		}
	}()
	said, err := e.pubsub.Receive(ctx)
	if err != nil {
		return err
	}
	if s, ok := said.(*goredis.Subscription); !ok || s.Kind != "subscribe" {
		return errNonsense
	}
	return nil
}

func (e *ear) close() {
	_ = e.pubsub.Close() // both fail only where they are closed already
	_ = e.client.Close()
}

// dialOnce lets one connection be made.
func dialOnce(dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	var dialed atomic.Bool
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dialed.Swap(true) {
			return nil, errOver
		}
		return dial(ctx, network, addr)
	}
}
