package bff

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/units"

	"cloakroom/configs"
	"cloakroom/proxy"
	"cloakroom/proxy/compose"
	"cloakroom/proxy/tokens"
	"cloakroom/session"
)

// whose reads the user out of an access token of the test's provider.
func whose(r *http.Request) string {
	parts := strings.Split(r.Header.Get("Authorization"), ".")
	if len(parts) != 3 {
		return "nobody"
	}
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct{ Sub string }
	json.Unmarshal(payload, &claims)
	return claims.Sub
}

// newComposedHouse is a house with one composed route, whose legs say whom they were asked for. change may alter it.
func newComposedHouse(t testing.TB, change func(c *proxy.Config, leg func(path string) compose.Leg)) (*house, *http.ServeMux) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/{part}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"part":%q,"user":%q}`, r.PathValue("part"), whose(r))
	})
	up := httptest.NewServer(mux)
	t.Cleanup(up.Close)
	leg := func(path string) compose.Leg {
		return compose.Leg{URL: up.URL + path, Timeout: 10 * time.Second, MaxBody: units.MiB}
	}
	h := newHouse(t, func(c *configs.Config) {
		rt := proxy.Config{Path: "/home", Auth: "required", WithoutFetchMetadata: "refuse", Timeout: 5 * time.Second, Idle: 5 * time.Second, Request: proxy.RequestConfig{MaxBody: 1 << 10}}
		rt.Legs = map[string]compose.Leg{"me": leg("/me"), "orders": leg("/orders")}
		if change != nil {
			change(&rt, leg)
		}
		c.Routes = append(c.Routes, configs.Route{Config: rt})
	})
	return h, mux
}

func TestAComposedAnswerIsForWhoAsks(t *testing.T) {
	h, _ := newComposedHouse(t, func(c *proxy.Config, leg func(string) compose.Leg) {
		anonymous, broken := leg("/rates"), leg("/nowhere/at/all")
		anonymous.Token.Method, broken.Optional = "none", true
		c.Legs["rates"], c.Legs["broken"] = anonymous, broken
		c.Shape = `{me: .me.user, orders: .orders.user, rates: .rates.user, broken, user: $user.sub, name: $user.claims.name, admin: ("admin" | IN($user.roles[]))}`
	})
	b := h.browser()
	if res := b.fetch("GET", "/home"); res.StatusCode != 401 || answerField(t, res, "code") != "signed_out" {
		t.Errorf("without a session: %d %s", res.StatusCode, res.body)
	}
	b.signIn("/bff/login")
	if res := b.do("GET", "/home", nil, "Sec-Fetch-Site", "cross-site"); res.StatusCode != 403 {
		t.Errorf("from another site: %d", res.StatusCode)
	}
	res := b.fetch("GET", "/home")
	if want := `{"admin":true,"broken":null,"me":"ada","name":"Ada Lovelace","orders":"ada","rates":"nobody","user":"ada"}`; res.StatusCode != 200 || res.body != want {
		t.Errorf("%d %s, want %s\n%s", res.StatusCode, res.body, want, h.log)
	}
	if res.Header.Get("X-Cloakroom-Partial") != "broken" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", res.Header)
	}
	for _, want := range []string{`cloakroom_compose_legs_total{leg="me",outcome="ok",route="/home"} 1`, `cloakroom_compose_legs_total{leg="broken",outcome="status",route="/home"} 1`, `cloakroom_upstream_seconds_count{route="/home"} 1`} {
		if !strings.Contains(h.metrics(), want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if !strings.Contains(h.log.String(), `"route":"/home","status":200`) || !strings.Contains(h.log.String(), `"upstream_us":`) {
		t.Errorf("log: %s", h.log)
	}
}

// A route that does not send the user's token goes on while the provider is away; a leg of it that sends one does not send what has run out.
func TestNoLegSendsATokenThatHasRunOut(t *testing.T) {
	h := newHouse(t, nil)
	now := time.Now()
	for left, want := range map[time.Duration]error{time.Minute: nil, -time.Minute: session.ErrNoToken} {
		sess := &session.Session{Provider: "main", Issuer: h.idp.Issuer(), Tokens: session.Tokens{Access: "a", Issued: now.Add(-time.Hour), Expires: now.Add(left)}}
		b, err := h.server.current.Load().bearer(t.Context(), sess, tokens.Token{Method: tokens.Session})
		if !errors.Is(err, want) || (b.token == "") != (want != nil) {
			t.Errorf("%v left: %q, %v; want %v", left, b.token, err, want)
		}
	}
}

// While the provider is away, a composed route goes on: its legs know for themselves what they cannot do without.
func TestOnlyWhatSendsTheUsersTokenWaitsForTheProvider(t *testing.T) {
	h, _ := newComposedHouse(t, nil)
	for _, route := range h.server.current.Load().table.Routes() {
		if want := route.Config.Path == "/home" || route.Config.Auth == "none"; doesWithout(route) != want {
			t.Errorf("%s does without the user's token: %v", route.Config.Path, !want)
		}
	}
}

// What a required leg's failure looks like from outside, in the log, and nowhere.
func TestARequiredLegsFailureIsAProblemThatNamesIt(t *testing.T) {
	for _, c := range []struct {
		name         string
		status, want int
		code         string
		body         string
	}{
		{"an error", 500, 502, "leg_failed", `{}`},
		{"not found", 404, 404, "leg_refused", `{}`},
		{"forbidden", 403, 403, "leg_refused", `{}`},
		{"too many", 429, 429, "leg_refused", `{}`},
		{"a refusal of our own token", 401, 502, "leg_failed", `{}`},
		{"no JSON", 200, 502, "leg_failed", `the-upstreams-secret`},
		{"no answer", 0, 504, "leg_timeout", ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, mux := newComposedHouse(t, func(rt *proxy.Config, leg func(string) compose.Leg) {
				part := leg("/broken/part")
				if c.status == 0 {
					part.Timeout = 50 * time.Millisecond
				}
				rt.Legs["part"] = part
			})
			mux.HandleFunc("/broken/part", func(w http.ResponseWriter, r *http.Request) {
				if c.status == 0 {
					<-r.Context().Done()
					return
				}
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(c.status)
				io.WriteString(w, c.body)
			})
			b := h.browser()
			b.signIn("/bff/login")
			res := b.fetch("GET", "/home")
			if res.StatusCode != c.want || answerField(t, res, "code") != c.code || !strings.Contains(answerField(t, res, "detail"), `"part"`) {
				t.Errorf("%d %s", res.StatusCode, res.body)
			}
			if retry := res.Header.Get("Retry-After"); (retry == "7") != (c.status == 429 || c.status == 403 || c.status == 404) {
				t.Errorf("retry after %q", retry)
			}
			if strings.Contains(res.body, "127.0.0.1") || strings.Contains(h.log.String()+res.body, "the-upstreams-secret") || strings.Contains(h.log.String(), "broken/part") {
				t.Errorf("it tells of the inside: %s\n%s", res.body, h.log)
			}
		})
	}
}

func TestAShapesFailureIsOurOwn(t *testing.T) {
	h, _ := newComposedHouse(t, func(c *proxy.Config, _ func(string) compose.Leg) { c.Shape = `.me.user.x` })
	b := h.browser()
	b.signIn("/bff/login")
	if res := b.fetch("GET", "/home"); res.StatusCode != 500 || answerField(t, res, "code") != "shape_failed" || strings.Contains(res.body, "ada") {
		t.Errorf("%d %s", res.StatusCode, res.body)
	}
	for line := range strings.Lines(h.log.String()) {
		if strings.Contains(line, "shape_failed") && (strings.Contains(line, `"ada`) || !strings.Contains(line, "expectedObjectError")) {
			t.Errorf("log: %s", line)
		}
	}
}

// LAW 1 and 8: whoever asks at the same time, each gets what the legs say to their own token.
func TestUsersWhoAskAtTheSameTimeDoNotMix(t *testing.T) {
	h, mux := newComposedHouse(t, func(c *proxy.Config, _ func(string) compose.Leg) {
		c.Shape = `[.me.user, .orders.user, $user.sub]`
	})
	var both sync.WaitGroup // each pair of requests is at the leg at the same time
	mux.HandleFunc("/me", func(w http.ResponseWriter, r *http.Request) {
		both.Done()
		both.Wait()
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"user":%q}`, whose(r))
	})
	ada, grace := h.browser(), h.browser()
	grace.who = "grace"
	ada.signIn("/bff/login")
	grace.signIn("/bff/login")
	for range 10 {
		both.Add(2)
		var wg sync.WaitGroup
		for who, b := range map[string]*browser{"ada": ada, "grace": grace} {
			wg.Go(func() {
				if res := b.fetch("GET", "/home"); res.body != fmt.Sprintf(`["%s","%s","%s"]`, who, who, who) {
					t.Errorf("%s got %d %s", who, res.StatusCode, res.body)
				}
			})
		}
		wg.Wait()
	}
}

// LAW 2: what is composed while the session ends does not go out.
func TestALogoutCutsAComposedAnswer(t *testing.T) {
	asked, cancelled := make(chan struct{}), make(chan struct{})
	h, mux := newComposedHouse(t, func(c *proxy.Config, leg func(string) compose.Leg) { c.Legs["slow"] = leg("/slow/part") })
	mux.HandleFunc("/slow/part", func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
		close(cancelled)
	})
	b := h.browser()
	b.signIn("/bff/login")
	done := make(chan answer)
	go func() { done <- b.fetch("GET", "/home") }()
	<-asked
	h.eventually("the answer counts as a long one", func() bool { return strings.Contains(h.metrics(), `cloakroom_streams_open{kind="answer"} 1`) })
	if res := b.fetch("POST", "/bff/logout"); res.StatusCode >= 300 {
		t.Fatalf("logout: %d %s", res.StatusCode, res.body)
	}
	<-cancelled
	if res := <-done; res.StatusCode != 401 || strings.Contains(res.body, "ada") {
		t.Errorf("%d %s", res.StatusCode, res.body)
	}
}

// What explain says that the legs would be asked is what they are asked.
func TestAComposedRouteCanBeExplained(t *testing.T) {
	cfg, err := configs.Parse("cloakroom.yaml", []byte(`
server: {public_url: "https://app.example.com"}
providers:
  main: {issuer: "https://id.example.com", client_id: spa, client_secret: m7Qv2kXw9RtB4nLzD1sYhJ6p}
session: {store: memory, secrets: ["iQm2xV0bSsg7y1KcRr3nDh9wUeTf6aZpLjXo4vBq"]}
routes:
  - path: /api/customers/{id}
    compose:
      customer: {url: 'http://users:1/v1/customers/{id}'}
      orders: {url: 'http://orders:1/orders?customer={id}', query: [page], token: none}
      rates: {url: 'http://rates:1/', token: {audience: rates}}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewExplainer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	got := e.Explain(Request{Target: "/api/customers/7?page=2&x=1", Header: From("app"), Claims: map[string]any{"sub": "alice"}})
	if got.Verdict != Forwarded || got.Legs["customer"].Upstream != "http://users:1/v1/customers/7" || got.Legs["orders"].Upstream != "http://orders:1/orders?customer=7&page=2" {
		t.Errorf("%+v", got)
	}
	if got.Legs["customer"].Headers.Get("Authorization") != "Bearer "+accessToken || got.Legs["orders"].Headers.Get("Authorization") != "" || !strings.Contains(got.Legs["rates"].Headers.Get("Authorization"), "exchange") {
		t.Errorf("%+v", got.Legs)
	}
	got = e.Explain(Request{Target: "/api/customers/7?page=2&page=3", Header: From("app"), Claims: map[string]any{"sub": "alice"}})
	if got.Verdict == Forwarded || got.Code != "bad_request" {
		t.Errorf("%+v", got)
	}
}
