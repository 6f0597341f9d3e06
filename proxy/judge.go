package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"cloakroom/proxy/schema"
)

// Descriptions at work, the rule: what was judged is what goes on. The path is the upstream's, the query its bytes, the headers those that cross, and the body
// is held in memory, parsed, and sent from there with its length. A body that is being judged has the same deadlines as any other.

// Refusal is why a request is not as the route's description says. OnError gets it; its Error is for the log, its Faults are for the client.
type Refusal = schema.Refusal

// Fault is one thing that is wrong with a request.
type Fault = schema.Fault

// judgeHead judges a request without its body.
func (x *exchange) judgeHead() error {
	q, s := x.route.requests, x.route.responses
	if x.upgrade && (q != nil || s != nil && s.Enforce) {
		return fmt.Errorf("%w: nothing that goes through a socket could be checked", ErrUpgradeRefused)
	}
	if q == nil {
		return nil
	}
	call, refusal := q.Match(x.in.Method, x.path)
	read := false
	if refusal == nil {
		read, refusal = call.Head(x.crossing(), x.in.URL.RawQuery, x.in.ContentLength)
	}
	switch {
	case refusal != nil:
		return x.misdescribed(refusal)
	case !read:
		x.observe("request", nil)
		return nil
	case x.in.ContentLength > q.Limit():
		return x.misdescribed(q.TooLarge())
	}
	x.call = call
	return nil
}

// crossing are the client's headers without those that Connection names, because these stay here.
func (x *exchange) crossing() http.Header {
	h := x.in.Header
	if named := h["Connection"]; len(named) > 0 {
		h = h.Clone()
		dropNamed(h, named)
	}
	return h
}

// misdescribed counts a refusal.
func (x *exchange) misdescribed(r *Refusal) error {
	if allowed := x.route.Config.Methods; len(r.Allow) > 0 && len(allowed) > 0 {
		r.Allow = slices.DeleteFunc(r.Allow, func(m string) bool { return !slices.Contains(withHead(allowed), m) })
	}
	x.observe("request", r)
	return r
}

// observe counts what was judged.
func (x *exchange) observe(message string, r *Refusal) {
	if count := x.route.deps.ObserveCheck; count != nil {
		result := "ok"
		if r != nil {
			result = r.Reason
		}
		count(x.route, message, result)
	}
}

// judgeBody reads the body to its end, judges it, and gives out the very same bytes.
func (x *exchange) judgeBody(out *http.Request) error {
	if x.call == nil {
		return nil
	}
	q := x.route.requests
	watched := &requestBody{x: x, body: out.Body, left: int64(x.route.Config.Request.MaxBody)}
	watched.limited = watched.left > 0
	var body bytes.Buffer
	if n, err := body.ReadFrom(io.LimitReader(watched, q.Limit()+1)); err != nil {
		return x.verdict(err)
	} else if n > q.Limit() {
		return x.misdescribed(q.TooLarge())
	}
	x.forgive()
	if err := x.judgeBytes(body.Bytes()); err != nil {
		return err
	}
	if out.ContentLength = int64(body.Len()); body.Len() == 0 {
		out.Body = http.NoBody
		return nil
	}
	x.replay = body.Bytes()
	out.Body = io.NopCloser(bytes.NewReader(x.replay))
	out.TransferEncoding = nil
	return nil
}

// judgeBytes judges a body, after judgeHead.
func (x *exchange) judgeBytes(body []byte) error {
	if refusal := x.call.Body(body); refusal != nil {
		return x.misdescribed(refusal)
	}
	x.observe("request", nil)
	return nil
}

// judgeAnswer holds an answer against the route's description. To enforce it, the body is read to its end first.
func (x *exchange) judgeAnswer(res *http.Response) error {
	s := x.route.responses
	if s == nil {
		return nil
	}
	answer, refusal := s.Head(x.in.Method, x.path, res.StatusCode, res.Header, res.ContentLength)
	if answer != nil {
		body, whole, err := x.hold(res, s.Limit())
		switch {
		case err != nil:
			return err
		case whole:
			refusal = answer.Body(body)
		default:
			refusal = s.TooLarge()
		}
	}
	x.observe("response", refusal)
	switch {
	case refusal == nil:
		return nil
	case s.Enforce:
		return fmt.Errorf("%w: %w", ErrUndescribed, refusal)
	}
	x.route.deps.Log.LogAttrs(context.WithoutCancel(x.in.Context()), slog.LevelWarn, "answer is not as described", slog.String("route", x.route.Config.Path),
		slog.String("request_id", x.caller.RequestID), slog.String("method", x.in.Method), slog.Int("status", res.StatusCode), slog.Any("err", refusal))
	return nil
}

// hold reads up to limit bytes of an answer and puts them back in front of what is left of it.
func (x *exchange) hold(res *http.Response, limit int64) (body []byte, whole bool, err error) {
	var kept bytes.Buffer
	n, err := kept.ReadFrom(io.LimitReader(&x.answer, limit+1))
	if err != nil {
		return nil, false, err
	}
	res.Body = &heldBody{x: x, kept: bytes.NewReader(kept.Bytes()), rest: &x.answer}
	if whole = n <= limit; whole {
		x.unbound() // the upstream has nothing more to say
		res.ContentLength = n
		res.Header["Content-Length"] = []string{strconv.FormatInt(n, 10)}
	}
	return kept.Bytes(), whole, nil
}

// heldBody is an answer whose beginning was read before it goes out.
type heldBody struct {
	x    *exchange
	kept *bytes.Reader
	rest *responseBody
}

// Read gives the client as long to take what is held as it would have for what comes.
func (b *heldBody) Read(p []byte) (int, error) {
	if b.kept.Len() == 0 {
		return b.rest.Read(p)
	}
	if b.x.ended() {
		return 0, context.Cause(b.x)
	}
	b.x.client.SetWriteDeadline(time.Now().Add(b.x.route.Config.Idle))
	return b.kept.Read(p)
}

// Close closes what is behind.
func (b *heldBody) Close() error { return b.rest.Close() }
