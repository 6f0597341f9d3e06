package edge

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// Result is how a request ended.
type Result struct {
	// Status is the status that was sent; 101 for a connection that was taken over; 0 if the answer
	// was aborted before there was one.
	Status int
	// Bytes is the length of the body as sent by the handler.
	Bytes int64
	// Duration is the time from the first handler to the last byte.
	Duration time.Duration
	// Aborted is whether the connection was cut (http.ErrAbortHandler).
	Aborted bool
}

// AccessLog writes one record per request, "request", when it is over, and then calls done (which
// may be nil) for the metrics. It needs [RequestID] in front.
//
// Of the target only the route's pattern is logged, or the path where no route was found: states,
// codes and search terms travel in queries. Times are whole microseconds (us, upstream_us).
// Answers of 500 and more have the level error, all others info. An answer that the [Catalog] calls a
// refusal, or that a rule or limit decided, is also an event, "refused".
func AccessLog(log *slog.Logger, done func(*Record, *http.Request, Result)) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			rec := From(r.Context())
			rec.out = counter{ResponseWriter: w}
			returned := false
			defer func() { // deferred, not after: an aborted answer leaves as a panic, which goes on from here
				res := Result{rec.out.status, rec.out.bytes, time.Since(start), !returned}
				if returned && res.Status == 0 {
					res.Status = http.StatusOK // net/http sends it for a handler that wrote nothing
				}
				logRequest(r, log, rec, res, start)
				if done != nil {
					done(rec, r, res)
				}
			}()
			next.ServeHTTP(&rec.out, r)
			returned = true
		})
	}
}

// logRequest writes the request's record, and the refusal's where it was one. It goes to the handler itself:
// slog.Logger would look up its caller, which is always this line and costs as much as the rest.
func logRequest(r *http.Request, log *slog.Logger, rec *Record, res Result, start time.Time) {
	ctx := r.Context()
	if rec.answered && refused(rec, res) {
		logRefusal(ctx, log, rec, r)
	}
	level := slog.LevelInfo
	if res.Status >= 500 {
		level = slog.LevelError
	}
	h := log.Handler()
	if !h.Enabled(ctx, level) {
		return
	}
	out := slog.NewRecord(start.Add(res.Duration), level, "request", 0)
	var buf [20]slog.Attr
	out.AddAttrs(requestAttrs(buf[:0], r, rec, res)...)
	_ = h.Handle(ctx, out) // there is nowhere to report that the log is broken
}

// refused reports whether an answer was a decision against the request: by its code, or because a rule or a limit decided so, behind whatever answer
// ("not found" hides that there is something). Whoever is asked to sign in is not refused.
func refused(rec *Record, res Result) bool {
	return isRefusal(rec.Code) || rec.Rule != "" && res.Status != http.StatusUnauthorized
}

// requestAttrs appends the record's attributes; those without a value stay away.
func requestAttrs(a []slog.Attr, r *http.Request, rec *Record, res Result) []slog.Attr {
	a = append(a,
		slog.String("id", rec.ID),
		slog.String("method", clip(r.Method, 16)),
		target(r, rec),
		slog.Int("status", res.Status),
		slog.Int64("us", res.Duration.Microseconds()),
		slog.Int64("bytes", res.Bytes))
	if rec.ClientIP.IsValid() {
		a = append(a, slog.String("ip", rec.ClientIP.String()))
	}
	if rec.Upstream > 0 {
		a = append(a, slog.Int64("upstream_us", rec.Upstream.Microseconds()))
	}
	a = appendNonEmpty(a, "subject", rec.Subject)
	a = appendNonEmpty(a, "session", rec.Session)
	a = appendNonEmpty(a, "caller", rec.Caller)
	a = appendNonEmpty(a, "code", rec.Code)
	a = appendNonEmpty(a, "rule", rec.Rule)
	a = appendNonEmpty(a, "reason", rec.Reason)
	a = appendNonEmpty(a, "decision", rec.Decision)
	a = appendNonEmpty(a, "ended", rec.Ended)
	if res.Aborted {
		a = append(a, slog.Bool("aborted", true))
	}
	return appendErr(a, rec.Err)
}

// target is the route, or for want of one the path: in its encoded form, which is plain ASCII, and cut short.
func target(r *http.Request, rec *Record) slog.Attr {
	if rec.Route != "" {
		return slog.String("route", rec.Route)
	}
	return slog.String("path", clip(r.URL.EscapedPath(), 256))
}

func appendNonEmpty(a []slog.Attr, key, value string) []slog.Attr {
	if value == "" {
		return a
	}
	return append(a, slog.String(key, value))
}

// appendErr appends the cause, cut short, and where a panic was.
func appendErr(a []slog.Attr, err error) []slog.Attr {
	if err == nil {
		return a
	}
	a = append(a, slog.String("err", clip(err.Error(), 1024)))
	if p, ok := err.(*panicError); ok {
		a = append(a, slog.String("stack", clip(string(p.stack), 8<<10)))
	}
	return a
}

// clip bounds what foreign text may take of the log. Escaping is the log handler's, for every value.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "..."
}

// logRefusal writes the one event of a refused request.
func logRefusal(ctx context.Context, log *slog.Logger, rec *Record, r *http.Request) {
	a := []slog.Attr{slog.String("code", rec.Code), slog.String("method", clip(r.Method, 16)), target(r, rec)}
	a = appendNonEmpty(a, "rule", rec.Rule)
	a = appendNonEmpty(a, "reason", rec.Reason)
	Event(ctx, log, EventRefused, appendNonEmpty(a, "decision", rec.Decision)...)
}
