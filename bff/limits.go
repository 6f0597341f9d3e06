package bff

import (
	"net/http"
	"time"

	"cloakroom/bff/edge"
	"cloakroom/bff/limit"
)

// newLimiter makes what counts requests, or goes on with what the generation before has counted.
func (s *site) newLimiter() (*limit.Limiter, error) {
	run := s.counting(s.cfg.Limits.Timeout)
	if s.before != nil {
		return s.before.limiter.With(s.cfg.Limits, run)
	}
	return limit.New(s.cfg.Limits, limit.Deps{Run: run, Cluster: len(s.cfg.Session.Redis.Cluster) > 0, Prefix: s.cfg.Session.Redis.Prefix, Now: s.now})
}

// take counts a request against limits, and says in its answer's headers how many more there may be. over must be called when the request is over.
func (s *site) take(w http.ResponseWriter, r *http.Request, set *limit.Set, who limit.Who) (over func(), err error) {
	v, over := set.Take(r.Context(), who)
	return over, s.limited(w, r, &v)
}

// limited makes an answer of a verdict that refuses.
func (s *site) limited(w http.ResponseWriter, r *http.Request, v *limit.Verdict) error {
	rec := edge.From(r.Context())
	for _, name := range v.Reports() {
		s.metrics.limited(rec.Route, name, "reported")
	}
	if v.Err != nil {
		s.metrics.limitsUncounted()
	}
	if policy := v.Policy(); policy != "" { // beside an upstream's own, which has other names
		w.Header().Add("Ratelimit-Policy", policy) // spelt as net/http does, which spares it the work
		w.Header().Add("Ratelimit", v.Remaining())
	}
	if v.Allow {
		return nil
	}
	s.metrics.limited(rec.Route, v.Limit, v.Reason)
	rec.Rule, rec.Reason = v.Limit, "limit_"+v.Reason
	if v.Unavailable {
		return &edge.Problem{Code: "limits_unavailable", RetryAfter: max(v.RetryAfter, time.Second), Err: v.Err}
	}
	return &edge.Problem{Code: "too_many_requests", RetryAfter: v.RetryAfter, Members: map[string]any{"violated-policies": v.Violated()}}
}

// bounded holds an endpoint of ours against its own limit first.
func (s *site) bounded(set *limit.Set, next func(http.ResponseWriter, *http.Request) error) http.Handler {
	return edge.Handler(func(w http.ResponseWriter, r *http.Request) error {
		over, err := s.take(w, r, set, limit.Who{Client: edge.From(r.Context()).ClientIP})
		defer over()
		if err != nil {
			return err
		}
		return next(w, r)
	})
}
