package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"cloakroom/proxy/schema"
)

// exchange is one request on its way through a route. It is the request's context too, so that ReverseProxy's hooks
// find it without a search.
type exchange struct {
	context.Context
	cancel  context.CancelCauseFunc
	route   *Route
	caller  Caller
	w       http.ResponseWriter
	in      *http.Request // as the chain handed it over
	path    string        // of the upstream's URL, decoded
	rawPath string        // the same escaped, where that is not the usual form
	upgrade bool
	grpc    bool
	replay  []byte        // the body, where it is kept to be sent again
	out     *http.Request // as it goes to the upstream
	answer  responseBody  // the upstream's, as it goes to the client
	client  *http.ResponseController
	legs    *composed    // those that are asked; nil where none are
	call    *schema.Call // what is asked, in the words of the description; nil where the body is not looked at

	start    time.Time
	watch    *time.Timer  // ends the exchange when the upstream is silent for too long, see stream.go
	due      atomic.Int64 // when that is, in nanoseconds after start
	answered atomic.Bool  // the upstream's headers are here
	readBy   atomic.Int64 // when the read of the client's body that is under way must end, in Unix nanoseconds; 0: none is
	ending   sync.Mutex   // guards all below
	over     bool         // Forward has returned, see setReadDeadline
	tracked  bool
	untrack  func(Over)
	socket   *socket // set by a 101
	how      Over    // see overBy

	values [ours]string // of the headers that we add
	used   int
}

type exchangeKey struct{}

// Value finds the exchange itself in contexts derived from it.
func (x *exchange) Value(key any) any {
	if key == (exchangeKey{}) {
		return x
	}
	return x.Context.Value(key)
}

// Forward sends r to the route's upstream and its answer to w. It must run under an http.Server: an answer that breaks off
// half-way ends in a panic with http.ErrAbortHandler, so that the client's connection breaks off too.
func (rt *Route) Forward(w http.ResponseWriter, r *http.Request, c Caller) {
	x := &exchange{Context: r.Context(), route: rt, caller: c, w: w, in: r, client: http.NewResponseController(w)}
	err := x.admit()
	if err == nil {
		err = x.judgeHead()
	}
	if err != nil {
		x.refuse(err)
		return
	}
	if x.lastHop() {
		w.Header().Set("Allow", joinMethods(rt.Config.Methods))
		w.WriteHeader(http.StatusNoContent)
		return
	}
	x.Context, x.cancel = context.WithCancelCause(r.Context())
	defer x.cancel(nil)
	defer x.end()
	x.start = time.Now()
	x.due.Store(int64(rt.Config.Timeout))
	x.ending.Lock() // the timer's own goroutine looks for it, too
	x.watch = time.AfterFunc(min(rt.Config.Timeout, longAfter), x.late)
	x.ending.Unlock()
	defer x.unbound()
	if err := x.begin(); err != nil {
		x.refuse(err)
		return
	}
	if rt.composed != nil {
		x.compose()
		return
	}
	out := r.WithContext(x)
	out.Header = nil // or ReverseProxy would copy them all; outgoing makes the upstream's
	if err := x.judgeBody(out); err != nil {
		x.refuse(err)
		return
	}
	if err := x.prepareBody(out); err != nil {
		x.refuse(x.verdict(err))
		return
	}
	if x.upgrade {
		w = hijacker{w, x}
	}
	rt.proxy.ServeHTTP(w, out)
}

// admit decides what can be decided before anybody looks at what the request says.
func (x *exchange) admit() (err error) {
	r, conf := x.in, x.route.Config
	if forbiddenMethod(r.Method) { // Match lets none through; this is the second lock
		return fmt.Errorf("%w: method", ErrBadRequest)
	}
	if cameThrough(r.Header["Via"], x.route.via) {
		return ErrLoop
	}
	if limit := int64(conf.Request.MaxBody); limit > 0 && r.ContentLength > limit {
		return ErrBodyTooLarge
	}
	if x.upgrade, err = wantsUpgrade(r); err != nil {
		return err
	}
	if x.upgrade && x.route.composed != nil {
		return fmt.Errorf("%w: a composed answer is none", ErrUpgradeRefused)
	}
	if x.upgrade && x.route.up.http2Only() {
		return fmt.Errorf("%w: the upstream is asked by HTTP/2 only", ErrUpgradeRefused)
	}
	x.grpc = isGRPC(r.Header)
	if x.path, x.rawPath, err = x.route.target.path(r.URL); err != nil {
		return err
	}
	return x.demand()
}

// lastHop reports whether an OPTIONS request may go no further (RFC 9110, section 7.6.2). It asked about whoever is here, so we answer.
func (x *exchange) lastHop() bool {
	left, ok := x.in.Header["Max-Forwards"]
	if !ok || x.in.Method != http.MethodOptions {
		return false
	}
	n, err := strconv.ParseUint(left[0], 10, 32)
	return err == nil && n == 0
}

// refuse ends an exchange that has no answer yet.
func (x *exchange) refuse(err error) {
	if x.in.ProtoMajor == 1 && (x.in.ContentLength != 0 || x.upgrade || errors.Is(err, ErrUpgradeRefused) || errors.Is(err, ErrEnded)) {
		x.w.Header().Set("Connection", "close") // what is left of a body, or of another protocol, must not be read as a request
	}
	x.how = overFor(err)
	x.route.deps.OnError(x.w, x.in, err)
	if errors.Is(err, ErrClientGone) {
		panic(http.ErrAbortHandler) // whatever was written, it is not an answer
	}
}

// newReverseProxy wires the hooks of one route. All that differs between requests is in the exchange.
func newReverseProxy(rt *Route) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			x := p.In.Context().(*exchange)
			x.route.target.aim(p.Out, x.path, x.rawPath, p.In.URL.RawQuery)
			p.Out.Header = x.outgoing()
			sendOnce(p.Out.Header)
			p.Out.Trailer = nil
			x.out = p.Out
		},
		Transport: sender{},
		ModifyResponse: func(res *http.Response) error {
			x := res.Request.Context().(*exchange)
			return x.accept(res)
		},
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			x := r.Context().Value(exchangeKey{}).(*exchange)
			x.refuse(x.verdict(err))
		},
		BufferPool: buffers,
		ErrorLog:   slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // body.go logs what happens late, without foreign text
	}
}

// accept decides on the upstream's headers, and takes over the body.
func (x *exchange) accept(res *http.Response) error {
	if res.StatusCode == http.StatusSwitchingProtocols {
		x.unbound()
		if err := x.switched(res.Header); err != nil {
			return err
		}
		if err := x.incoming(res); err != nil {
			return err
		}
		res.Header["Connection"], res.Header["Upgrade"] = []string{"Upgrade"}, []string{webSocket}
		return x.connect(res)
	}
	limit := int64(x.route.Config.Response.MaxBody)
	if limit > 0 && res.ContentLength > limit && x.in.Method != http.MethodHead {
		return ErrResponseTooLarge
	}
	if err := x.challenged(res); err != nil {
		return err
	}
	if err := x.incoming(res); err != nil {
		return fmt.Errorf("%w: %w", ErrUpstream, err)
	}
	if isEventStream(res.Header) {
		if err := x.track(Events); err != nil {
			return err
		}
	}
	res.Trailer = nil // announced ones; see grpc.go
	x.answer = responseBody{x: x, res: res, body: res.Body, left: limit, limited: limit > 0}
	res.Body = &x.answer
	if err := x.judgeAnswer(res); err != nil {
		return err
	}
	x.deliver(res.Header)
	return nil
}

// bufferPool lends the buffers that bodies are copied through.
type bufferPool struct{ pool sync.Pool }

var buffers = &bufferPool{sync.Pool{New: func() any { return new([32 << 10]byte) }}}

// Get lends a buffer.
func (b *bufferPool) Get() []byte { return b.pool.Get().(*[32 << 10]byte)[:] }

// Put takes it back.
func (b *bufferPool) Put(buf []byte) { b.pool.Put((*[32 << 10]byte)(buf)) }
