package bff

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/bff/limit"
	"cloakroom/bff/policy"
	"cloakroom/configs"
	"cloakroom/proxy"
	"cloakroom/session"
)

// spent is what requests have cost: how often each of those that cost something was asked.
type spent struct{ store, agent, resource, upstream, body int64 }

// costs counts it.
type costs struct{ store, agent, resource, body atomic.Int64 }

// countedStore counts sessions that are read.
type countedStore struct {
	session.Store
	reads *atomic.Int64
}

func (s countedStore) Read(ctx context.Context, id session.ID) (session.Record, error) {
	s.reads.Add(1)
	return s.Store.Read(ctx, id)
}

func (s countedStore) ReadTTL(ctx context.Context, id session.ID) (session.Record, time.Duration, error) {
	s.reads.Add(1)
	return s.Store.ReadTTL(ctx, id)
}

// countedBody is a request's body that knows whether somebody reads it.
type countedBody struct {
	io.Reader
	reads *atomic.Int64
}

func (b countedBody) Read(p []byte) (int, error) { b.reads.Add(1); return b.Reader.Read(p) }
func (b countedBody) Close() error               { return nil }

// judges are an agent and a service of documents, which count.
func (c *costs) judges(t *testing.T) (agent, documents string) {
	say := func(n *atomic.Int64, text func(r *http.Request) string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n.Add(1)
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, text(r))
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	agent = say(&c.agent, func(r *http.Request) string {
		if input, _ := io.ReadAll(r.Body); strings.Contains(string(input), `"id":"denied"`) {
			return `{"result": false}`
		}
		return `{"result": true}`
	})
	documents = say(&c.resource, func(r *http.Request) string {
		if strings.HasSuffix(r.URL.Path, "/foreign") {
			return `{"mine": false}`
		}
		return `{"mine": true}`
	})
	return agent, documents
}

// AUZ-06, point 8 of the rules: what costs more is asked later. Whoever is refused for a cheap reason has cost nothing dear: no session read, no look-up, no agent, no byte of
// the body, and no upstream.
func TestWhatCostsMoreIsAskedLater(t *testing.T) {
	var c costs
	agent, documents := c.judges(t)
	everything := func(roles ...string) func(r *configs.Route) {
		return func(r *configs.Route) {
			r.Resource = proxy.ResourceConfig{URL: documents + "/{id}", Timeout: 5 * time.Second, MaxBody: 64 << 10}
			r.Allow.Roles, r.Allow.When = roles, `resource.mine == true`
			r.Allow.OPA = policy.OPAConfig{URL: agent + "/v1/data/x/allow", Timeout: 5 * time.Second}
		}
	}
	h := newHouseUnready(t, together(
		guarded("/documents/{id}", everything("customer")),
		guarded("/staff/{id}", everything("emperor")),
		guarded("/rare/{id}", func(r *configs.Route) {
			everything("customer")(r)
			r.Limit = []limit.Limit{{Rate: "1/1h", Per: "user", Outage: "local"}}
		}),
	), func(s session.Store) session.Store { return countedStore{s, &c.store} })
	h.eventually("ready", func() bool { return h.get(h.admin+"/readyz").StatusCode == http.StatusOK })
	br := h.browser()
	br.signIn("/bff/login")
	if res := br.fetch("GET", "/rare/7"); res.StatusCode != http.StatusOK { // uses its limit up
		t.Fatalf("%d %s", res.StatusCode, res.body)
	}
	ticket := ticketCookie + "=" + br.cookie(ticketCookie)
	for _, q := range []struct {
		name, path, cookie, site string
		status                   int
		want                     spent
	}{
		{"no route", "/nowhere", ticket, "same-origin", 404, spent{}},
		{"a path with two readings", "/documents/%2e%2e/7", ticket, "same-origin", 400, spent{}},
		{"too many parameters", "/documents/7?" + strings.Repeat("&", 10_000), ticket, "same-origin", 400, spent{}},
		{"another site", "/documents/7", ticket, "cross-site", 403, spent{}},
		{"nobody", "/documents/7", "", "same-origin", 401, spent{}},
		{"two tickets", "/documents/7", ticket + "; " + ticket, "same-origin", 400, spent{}},
		{"a ticket that is none", "/documents/7", ticketCookie + "=x", "same-origin", 401, spent{}},
		{"a ticket of nobody's", "/documents/7", ticketCookie + "=" + strings.Repeat("A", 43), "same-origin", 401, spent{store: 1}},
		{"without the role", "/staff/7", ticket, "same-origin", 403, spent{store: 1}},
		{"over the limit", "/rare/7", ticket, "same-origin", 429, spent{store: 1}},
		{"a resource of others", "/documents/foreign", ticket, "same-origin", 403, spent{store: 1, resource: 1}},
		{"the agent says no", "/documents/denied", ticket, "same-origin", 403, spent{store: 1, resource: 1, agent: 1}},
		{"all is well", "/documents/7", ticket, "same-origin", 200, spent{store: 1, resource: 1, agent: 1, upstream: 1, body: 1}},
	} {
		for _, n := range []*atomic.Int64{&c.store, &c.agent, &c.resource, &c.body} {
			n.Store(0)
		}
		hits := h.upstream.count()
		r := httptest.NewRequest("POST", q.path, countedBody{strings.NewReader("{}"), &c.body})
		r.Host, r.ContentLength = h.server.origin.Host, 2
		r.Header = http.Header{"Content-Type": {"application/json"}, "Sec-Fetch-Site": {q.site}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}}
		if q.cookie != "" {
			r.Header.Set("Cookie", q.cookie)
		}
		w := httptest.NewRecorder()
		h.server.Handler().ServeHTTP(w, r)
		got := spent{c.store.Load(), c.agent.Load(), c.resource.Load(), int64(h.upstream.count() - hits), min(c.body.Load(), 1)} // a body takes as many reads as it takes
		if got.store < q.want.store {
			got.store = q.want.store // a trusted copy spares the read
		}
		if w.Code != q.status || got != q.want {
			t.Errorf("%s: %d %s and %+v, want %d and %+v", q.name, w.Code, strings.TrimSpace(w.Body.String()), got, q.status, q.want)
		}
	}
}
