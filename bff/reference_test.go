package bff

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/inbound"
	"cloakroom/bff/policy"
	"cloakroom/configs"
	"cloakroom/e2e/ca"
)

// person is who asks, as docs/rules.md has it: effective roles, granted scopes.
type person struct {
	sub, kind     string
	roles, scopes []string
}

// inquired is a request in plain words, before anything is encoded.
type inquired struct {
	method         string
	route, id      string
	query, headers [][2]string
	who            *person // nil is nobody
}

func (q inquired) path() string { return "/" + q.route + "/" + q.id }

// once is the value of a name that comes exactly once; docs/rules.md: twice is neither there nor absent.
func once(list [][2]string, name string) (value string, found, clear bool) {
	n := 0
	for _, pair := range list {
		if pair[0] == name {
			n++
			value = pair[1]
		}
	}
	return value, n == 1, n <= 1
}

// expressions are what routes ask, each with what docs/rules.md says of it, written down by hand.
var expressions = []struct {
	when  string
	holds func(inquired) bool
}{
	{``, func(inquired) bool { return true }},
	{`request.method == "GET"`, func(q inquired) bool { return q.method == "GET" || q.method == "HEAD" }},
	{`request.values.id == user.sub`, func(q inquired) bool { return q.who != nil && q.id == q.who.sub }},
	{`request.path.endsWith("/a b")`, func(q inquired) bool { return q.id == "a b" }},
	{`request.query.team == "red"`, func(q inquired) bool { v, found, _ := once(q.query, "team"); return found && v == "red" }},
	{`!("debug" in request.query)`, func(q inquired) bool { _, found, clear := once(q.query, "debug"); return clear && !found }},
	{`request.query.team != "red"`, func(q inquired) bool { v, found, _ := once(q.query, "team"); return found && v != "red" }},
	{`request.headers["x-tenant"] == "red"`, func(q inquired) bool { v, found, _ := once(q.headers, "X-Tenant"); return found && v == "red" }},
	{`!("x-tenant" in request.headers)`, func(q inquired) bool {
		_, found, clear := once(q.headers, "X-Tenant")
		return clear && !found
	}},
	{`user.kind == "session" || request.method == "POST"`, func(q inquired) bool { return q.who != nil && q.who.kind == "session" || q.method == "POST" }},
	{`user.claims.team != "red"`, func(inquired) bool { return false }}, // nobody has a team
	{`"customer" in user.roles && now.hour < 24`, func(q inquired) bool { return q.who != nil && slices.Contains(q.who.roles, "customer") }},
}

// guard is a route with its rules.
type guard struct {
	auth          string
	callers       bool
	roles, scopes []string
	when          int
	report        bool // all of it only reports
}

// allows is the naive reference: all that is given must hold, and what nobody has refuses.
func (g guard) allows(q inquired) bool {
	if q.who != nil && (q.who.kind == "api_key" && !g.callers || q.who.kind == "session" && g.auth == "none") {
		q.who = nil // a credential that the route does not take opens nothing, and no session is read
	}
	if q.who == nil && g.auth == "required" {
		return false
	}
	if g.report {
		return true
	}
	if len(g.roles) > 0 && (q.who == nil || !slices.ContainsFunc(g.roles, func(r string) bool { return slices.Contains(q.who.roles, r) })) {
		return false
	}
	if len(g.scopes) > 0 && (q.who == nil || slices.ContainsFunc(g.scopes, func(s string) bool { return !slices.Contains(q.who.scopes, s) })) {
		return false
	}
	return expressions[g.when].holds(q)
}

// wire is a request as it is sent.
type wire struct {
	method, target string
	headers        [][2]string
	http2          bool
}

// stage is where requests are sent.
type stage struct {
	*house
	*rand.Rand
	authority   *ca.Authority
	cookie, key string
	conn        net.Conn // nil: there is none
	answers     *bufio.Reader
}

func (s *stage) one(of ...string) string { return of[s.IntN(len(of))] }

// plain is a request without anything that need not be so.
func (s *stage) plain(q inquired) wire {
	w := wire{method: q.method, target: strings.ReplaceAll(q.path(), " ", "%20")}
	for i, pair := range q.query {
		w.target += []string{"?", "&"}[min(i, 1)] + pair[0] + "=" + pair[1]
	}
	w.headers = append([][2]string{{"Host", strings.TrimPrefix(s.origin, "https://")}, {"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Mode", "cors"}, {"Sec-Fetch-Dest", "empty"}}, q.headers...)
	switch {
	case q.who != nil && q.who.kind == "session":
		w.headers = append(w.headers, [2]string{"Cookie", s.cookie})
	case q.who != nil:
		w.headers = append(w.headers, [2]string{"X-API-Key", s.key})
	}
	return w
}

// send returns the status, and whether an upstream was reached.
func (s *stage) send(w wire) (status int, reached bool) {
	s.t.Helper()
	before := s.upstream.count()
	if w.http2 {
		f := newFrames(s.t.(*testing.T), s.house, s.authority)
		fields := []string{":method", w.method, ":scheme", "https", ":path", w.target, ":authority", w.headers[0][1]}
		for _, h := range w.headers[1:] {
			fields = append(fields, strings.ToLower(h[0]), h[1])
		}
		if err := f.open(1, true, fields...); err != nil {
			s.t.Fatal(err)
		}
		status, _ = strconv.Atoi(f.verdict()) // a reset is no status, and reaches nothing
		f.conn.Close()
		return status, s.upstream.count() > before
	}
	var raw strings.Builder
	fmt.Fprintf(&raw, "%s %s HTTP/1.1\r\n", w.method, w.target)
	for _, h := range w.headers {
		fmt.Fprintf(&raw, "%s: %s\r\n", h[0], h[1])
	}
	raw.WriteString("Content-Length: 0\r\n\r\n")
	if s.conn == nil { // one for many: most of the time would go into handshakes
		s.dial()
	}
	s.conn.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(s.conn, raw.String())
	res, err := http.ReadResponse(s.answers, &http.Request{Method: w.method})
	if err != nil {
		s.t.Fatalf("%+v: %v", w, err)
	}
	io.Copy(io.Discard, res.Body)
	res.Body.Close()
	if res.Close {
		s.conn.Close()
		s.conn = nil
	}
	return res.StatusCode, s.upstream.count() > before
}

func (s *stage) dial() {
	s.t.Helper()
	addr := strings.Replace(strings.TrimPrefix(s.origin, "https://"), "localhost", "127.0.0.1", 1)
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", addr, &tls.Config{RootCAs: s.authority.Pool, ServerName: "localhost"})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	s.conn, s.answers = conn, bufio.NewReader(conn)
}

// rewriting says a request in another way. A stricter one may be refused by a rule that the plain one meets; no other may be.
type rewriting struct {
	name     string
	stricter bool
	change   func(*stage, *wire)
	twice    func(inquired) inquired // as the reference has to see it
}

var rewritings = []rewriting{
	{"a letter of the path is encoded", false, func(s *stage, w *wire) {
		i := 1 + s.IntN(2)
		w.target = w.target[:i] + fmt.Sprintf(s.one("%%%02x", "%%%02X"), w.target[i]) + w.target[i+1:]
	}, nil},
	{"the last letter of the path is encoded", false, func(_ *stage, w *wire) {
		path, query, asked := strings.Cut(w.target, "?")
		w.target = path[:len(path)-1] + fmt.Sprintf("%%%02x", path[len(path)-1])
		if asked {
			w.target += "?" + query
		}
	}, nil},
	{"the path has a dot, a slash or a parameter more", false, func(s *stage, w *wire) {
		w.target = s.one("/.", "/", "/x/..", "/%2e", "/;x=1") + w.target
	}, nil},
	{"headers are in another case", false, func(s *stage, w *wire) {
		for i, h := range w.headers {
			w.headers[i][0] = s.one(strings.ToUpper(h[0]), strings.ToLower(h[0]))
		}
	}, nil},
	{"headers are in another order", false, func(s *stage, w *wire) {
		s.Shuffle(len(w.headers), func(i, j int) { w.headers[i], w.headers[j] = w.headers[j], w.headers[i] })
	}, nil},
	{"HEAD in the place of GET", false, func(_ *stage, w *wire) {
		if w.method == "GET" {
			w.method = "HEAD"
		}
	}, nil},
	{"HTTP/2", false, func(_ *stage, w *wire) { w.http2 = true }, nil},
	{"a parameter comes twice, or in another spelling", true, func(s *stage, w *wire) {
		if !strings.Contains(w.target, "team=") {
			return // one more would be the first
		}
		if path, query, _ := strings.Cut(w.target, "?"); s.IntN(2) == 0 { // some readers take the first, some the last
			w.target = path + "?" + s.one("team=red&", "TEAM=red&", "t%65am=red&", "team=red;") + query
			return
		}
		w.target += s.one("&team=red", "&team=blue", "&TEAM=red", "&team[]=red", "&t%65am=red", ";team=red")
	}, func(q inquired) inquired { q.query = append(slices.Clip(q.query), [2]string{"team", ""}); return q }},
	{"a header comes twice, or in another spelling", true, func(s *stage, w *wire) {
		if !slices.ContainsFunc(w.headers, func(h [2]string) bool { return h[0] == "X-Tenant" }) {
			return
		}
		// Before or after the other one: some readers take the first, some the last.
		w.headers = slices.Insert(w.headers, 1+s.IntN(len(w.headers)), [2]string{s.one("X-Tenant", "x-tenant", "X_Tenant"), s.one("red", "blue")})
	}, func(q inquired) inquired {
		q.headers = append(slices.Clip(q.headers), [2]string{"X-Tenant", ""})
		return q
	}},
	{"a credential is there twice", true, func(s *stage, w *wire) {
		for _, h := range w.headers {
			if h[0] == "Cookie" || h[0] == "X-API-Key" {
				w.headers = append(w.headers, h)
				return
			}
		}
	}, nil},
}

// AUZ-01, AUZ-02: what a naive reading of docs/rules.md refuses reaches no upstream, and what it allows does. However a request is written, its verdict is the same, or 400: nothing makes it looser.
func TestRulesDecideAsTheyAreDocumentedHoweverARequestIsWritten(t *testing.T) {
	h, a := newTLSHouse(t, func(c *configs.Config) {
		c.Callers.APIKey = inbound.APIKey{Header: "X-API-Key"}
		c.Policy = policy.Config{TimeZone: "UTC", MapRoles: map[string][]string{"admin": {"boss"}}, InheritRoles: map[string][]string{"support": {"customer"}}}
	})
	b := h.overHTTP2(t, a)
	b.signIn("/bff/login")
	key, id := h.newKey(APIKey{Name: "importer", Roles: []string{"support"}, Scopes: []string{"orders.read"}})
	ada := &person{b.user().Subject, "session", []string{"boss", "customer"}, []string{"openid", "profile", "email", "offline_access"}}
	importer := &person{id, "api_key", []string{"support", "customer"}, []string{"orders.read"}}
	base := h.server.current.Load().cfg
	ofTwo := slices.DeleteFunc(slices.Clone(rewritings), func(v rewriting) bool { return v.twice == nil })
	seen := map[string]int{}
	for seed := range uint64(3) {
		s := &stage{house: h, Rand: rand.New(rand.NewPCG(seed, 5)), authority: a, cookie: sessionCookieOf(h, b), key: key}
		guards := s.guards(base)
		for range 100 {
			n := s.IntN(len(guards))
			if !strings.Contains(expressions[guards[n].when].when, `"red"`) && s.IntN(2) == 0 {
				n = s.IntN(len(guards)) // rather one that asks for what can come twice
			}
			q := s.ask(n, ada, importer)
			status, reached := s.send(s.plain(q))
			about := fmt.Sprintf("seed %d: %+v asks %+v, %q", seed, q.who, q, expressions[guards[n].when].when)
			if reached != guards[n].allows(q) {
				t.Fatalf("%s\nof %+v: %d, reached %t", about, guards[n], status, reached)
			}
			seen[fmt.Sprint(reached)]++
			if guards[n].callers && guards[n].auth != "none" { // a session and a key are two identities, whatever either may
				q := q
				q.who = ada
				w := s.plain(q)
				w.headers = append(w.headers, [2]string{"X-API-Key", key})
				if status, through := s.send(w); status != http.StatusBadRequest || through {
					t.Errorf("%s, with a session and a key: %d, reached %t", about, status, through)
				}
			}
			for _, v := range slices.Concat(rewritings, ofTwo, ofTwo) { // which of two comes first, and in which spelling, takes several tries
				w := s.plain(q)
				v.change(s, &w)
				if w.target == s.plain(q).target && slices.Equal(w.headers, s.plain(q).headers) && w.method == q.method && !w.http2 {
					continue // there was nothing to change
				}
				now, through := s.send(w)
				if v.twice != nil && through && !guards[n].allows(v.twice(q)) {
					t.Errorf("%s of %+v, %s: %+v is let through", about, guards[n], v.name, w)
				}
				if through && !reached || !through && reached && !v.stricter && now != http.StatusBadRequest {
					t.Errorf("%s of %+v: %d, reached %t\n%s, as %+v: %d, reached %t", about, guards[n], status, reached, v.name, w, now, through)
				}
				seen[v.name+fmt.Sprint(through)]++
			}
		}
	}
	for _, v := range rewritings {
		if seen[v.name+"true"] == 0 && !strings.Contains(v.name, "a dot, a slash") || seen[v.name+"false"] == 0 {
			t.Errorf("%s: tells nothing: %v", v.name, seen)
		}
	}
	if seen["true"] < 10 || seen["false"] < 10 {
		t.Errorf("%v", seen)
	}
}

// guards makes routes with rules, and has the server take them.
func (s *stage) guards(base *configs.Config) (all []guard) {
	c := *base
	c.Routes = nil
	for i := range 2 * len(expressions) {
		g := guard{auth: s.one("required", "required", "optional", "none"), callers: s.IntN(2) == 0, when: i % len(expressions), report: s.IntN(8) == 0}
		if i < len(expressions) { // each expression once by itself, where all depends on it
			g.auth, g.report = "optional", false
		}
		switch kind := s.IntN(5); {
		case i < len(expressions):
		case kind == 0:
			g.roles = []string{s.one("boss", "admin", "support", "customer")}
		case kind == 1:
			g.scopes = []string{s.one("openid", "orders.read", "orders.write")}
		}
		r := configs.Route{Config: base.Routes[0].Config, Allow: configs.Default[policy.Allow]()}
		r.Path, r.Auth = fmt.Sprintf("/g%d/{id}", i), g.auth
		r.Allow.Roles, r.Allow.Scopes, r.Allow.When = g.roles, g.scopes, expressions[g.when].when
		for key, given := range map[string]bool{"roles": g.roles != nil, "scopes": g.scopes != nil, "when": r.Allow.When != ""} {
			if g.report && given {
				r.Allow.ReportOnly = append(r.Allow.ReportOnly, key)
			}
		}
		if g.callers {
			r.Callers = []string{"api_key"}
		}
		c.Routes = append(c.Routes, r)
		all = append(all, g)
	}
	if err := s.server.Reload(&c); err != nil {
		s.t.Fatal(err)
	}
	return all
}

// ask makes a request to a route.
func (s *stage) ask(route int, people ...*person) inquired {
	q := inquired{method: s.one("GET", "GET", "GET", "POST", "DELETE"), route: fmt.Sprintf("g%d", route), id: s.one("7", "a b", people[0].sub, people[1].sub)}
	if i := s.IntN(len(people) + 1); i < len(people) {
		q.who = people[i]
	}
	if s.IntN(2) == 0 {
		q.query = append(q.query, [2]string{"team", s.one("red", "red", "blue")})
	}
	if s.IntN(4) == 0 {
		q.query = append(q.query, [2]string{"debug", "1"})
	}
	if s.IntN(4) > 0 {
		q.headers = append(q.headers, [2]string{"X-Tenant", s.one("red", "red", "blue")})
	}
	return q
}
