package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/units"

	"cloakroom/configs/secret"
	"cloakroom/proxy/compose"
	"cloakroom/proxy/tokens"
)

// buffet is a gateway with one composed route, and an upstream for its legs.
type buffet struct {
	*httptest.Server
	up       *httptest.Server
	mux      *http.ServeMux
	table    *Table
	caller   Caller
	mu       sync.Mutex
	seen     map[string]seen // by path
	errs     []error
	outcomes []string
	upstream time.Duration
}

func newBuffet(t testing.TB, change func(b *buffet, c *Config)) *buffet {
	t.Helper()
	b := &buffet{mux: http.NewServeMux(), seen: map[string]seen{}}
	b.caller = Caller{Bearer: token, ClientIP: netip.MustParseAddr("192.0.2.1"), Proto: "https", Host: "app.example.com", RequestID: "req-1"}
	b.up = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.seen[r.URL.Path] = seen{Method: r.Method, Host: r.Host, URI: r.RequestURI, Header: r.Header}
		b.mu.Unlock()
		b.mux.ServeHTTP(w, r)
	}))
	t.Cleanup(b.up.Close)
	b.says("/me", 200, `{"name":"Ada"}`)
	b.says("/orders", 200, `{"items":[{"id":1}]}`)
	c := Config{Path: "/api/home", Auth: "required", Timeout: 5 * time.Second, Idle: 5 * time.Second, Request: RequestConfig{MaxBody: units.MiB}}
	c.Legs = map[string]compose.Leg{"me": b.leg("/me"), "orders": b.leg("/orders")}
	if change != nil {
		change(b, &c)
	}
	table, err := Compile([]Config{c}, map[string]Upstream{"shop": {URL: b.up.URL + "/base"}}, Deps{Via: "cloakroom-1", OnError: b.onError,
		ObserveLeg: b.observeLeg, ObserveUpstream: b.observe}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(table.Close)
	b.table = table
	b.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rt, allow := table.Match(r)
		if rt == nil {
			w.Header().Set("Allow", strings.Join(allow, ", "))
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		rt.Forward(w, r, b.caller)
	}))
	b.Config.ErrorLog = quiet
	b.Start()
	t.Cleanup(b.Close)
	return b
}

// onError answers what failed, as the heart would.
func (b *buffet) onError(w http.ResponseWriter, _ *http.Request, err error) {
	b.mu.Lock()
	b.errs = append(b.errs, err)
	b.mu.Unlock()
	for sentinel, status := range statuses {
		if errors.Is(err, sentinel) {
			w.WriteHeader(status)
			return
		}
	}
	w.WriteHeader(502)
}

func (b *buffet) observeLeg(_ *Route, leg, outcome string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.outcomes = append(b.outcomes, leg+" "+outcome)
}

func (b *buffet) observe(_ *http.Request, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.upstream += d
}

func (b *buffet) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.errs) != 1 {
		return fmt.Errorf("%d errors: %v", len(b.errs), b.errs)
	}
	return b.errs[0]
}

func (b *buffet) got(path string) seen {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen[path]
}

func (b *buffet) says(path string, status int, body string) {
	b.mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
}

// hangs answers nothing until the request is cancelled.
func (b *buffet) hangs(path string) (begun, ended chan struct{}) {
	begun, ended = make(chan struct{}, 8), make(chan struct{}, 8)
	b.mux.HandleFunc(path, func(_ http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	})
	return begun, ended
}

func (b *buffet) leg(path string) compose.Leg {
	return compose.Leg{URL: b.up.URL + path, Timeout: 10 * time.Second, MaxBody: units.MiB}
}

// HDR-08 and LAW 6: a composed answer is about a user, or may be.
func TestAComposedAnswerIsOne(t *testing.T) {
	b := newBuffet(t, func(_ *buffet, c *Config) { c.Shape = `{name: .me.name, recent: [.orders.items[]? | .id]}` })
	res, body := get(t, b.URL+"/api/home")
	if res.StatusCode != 200 || body != `{"name":"Ada","recent":[1]}` {
		t.Fatalf("%d %s, %v", res.StatusCode, body, b.errs)
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "Content-Length": "27", "Etag": "", "X-Cloakroom-Partial": ""} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	res, body = do(t, newRequest(t, "HEAD", b.URL+"/api/home", ""))
	if res.StatusCode != 200 || body != "" || res.ContentLength != 27 || b.got("/me").Method != "GET" {
		t.Errorf("HEAD: %d %q %d, the leg was asked by %s", res.StatusCode, body, res.ContentLength, b.got("/me").Method)
	}
	if res, _ := do(t, newRequest(t, "POST", b.URL+"/api/home", "{}")); res.StatusCode != 405 || res.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, allow %q", res.StatusCode, res.Header.Get("Allow"))
	}
	if res, _ := do(t, newRequest(t, "GET", b.URL+"/api/home", "{}")); res.StatusCode != 400 {
		t.Errorf("GET with a body: %d", res.StatusCode)
	}
	if res, _ := get(t, b.URL+"/api/home", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-Websocket-Version", "13"); res.StatusCode != 400 {
		t.Errorf("an upgrade: %d", res.StatusCode)
	}
}

// PRX-40, LAW 8: a leg gets what an upstream of a route gets, and nothing that belongs to another kind of request.
func TestALegGetsWhatAnUpstreamGets(t *testing.T) {
	b := newBuffet(t, func(b *buffet, c *Config) {
		orders := b.leg("/orders")
		orders.Token.Method, orders.Headers = "none", map[string]secret.String{"x-api-version": "2"}
		c.Legs["orders"] = orders
	})
	res, _ := get(t, b.URL+"/api/home", "Cookie", "__Host-Http-session=x", "Authorization", "Bearer evil", "X-User-Id", "evil", "X-Forwarded-For", "6.6.6.6", "If-None-Match", `"1"`, "If-Modified-Since", "Mon, 02 Jan 2006 15:04:05 GMT",
		"Range", "bytes=0-1", "Accept", "text/html", "Accept-Encoding", "gzip", "Content-Type", "text/evil", "Accept-Language", "de", "Connection", "X-Api-Version")
	if res.StatusCode != 200 {
		t.Fatal(res.StatusCode, b.errs)
	}
	me, orders := b.got("/me").Header, b.got("/orders").Header
	for name, want := range map[string]string{"Authorization": "Bearer " + token, "X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": "app.example.com", "X-Forwarded-Proto": "https", "X-Request-Id": "req-1", "Via": "1.1 cloakroom-1",
		"Accept": "application/json", "Accept-Language": "de", "Cookie": "", "X-User-Id": "", "If-None-Match": "", "If-Modified-Since": "", "Range": "", "Accept-Encoding": "", "Content-Type": "", "X-Api-Version": ""} {
		if got := me.Get(name); got != want {
			t.Errorf("me: %s: %q, want %q", name, got, want)
		}
	}
	if orders.Get("Authorization") != "" || orders.Get("X-Api-Version") != "2" || orders.Get("X-Forwarded-For") != "192.0.2.1" {
		t.Errorf("orders: %v", orders)
	}
	if b.upstream <= 0 || len(b.outcomes) != 2 || b.outcomes[0] != "me ok" {
		t.Errorf("observed %v, %v", b.upstream, b.outcomes)
	}
}

// LAW 4: whatever a client sends, legs are asked of the configured hosts, below their paths.
func TestPathValuesAndParametersReachTheirLegs(t *testing.T) {
	b := newBuffet(t, func(b *buffet, c *Config) {
		c.Path = "/api/customers/{id}/home"
		orders := compose.Leg{Upstream: "shop", Path: "/customers/{id}/orders?limit=5", Query: []string{"page"}, Timeout: time.Second, MaxBody: units.MiB}
		c.Legs = map[string]compose.Leg{"orders": orders}
		c.Shape = `{id: $path.id, page: $query.page, got: .orders.uri}`
		b.mux.HandleFunc("/base/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(map[string]string{"uri": r.RequestURI})
		})
	})
	for target, want := range map[string]string{
		"/api/customers/7/home?page=2&admin=1":              `{"got":"/base/customers/7/orders?limit=5&page=2","id":"7","page":"2"}`,
		"/api/customers/a%20b%3Fc/home?page=%26admin%3D1":   `{"got":"/base/customers/a%20b%3Fc/orders?limit=5&page=%26admin%3D1","id":"a b?c","page":"&admin=1"}`,
		"/api/customers/http:@evil/home?host=evil&url=evil": `{"got":"/base/customers/http:@evil/orders?limit=5","id":"http:@evil","page":null}`,
	} {
		if res, body := get(t, b.URL+target); res.StatusCode != 200 || body != want {
			t.Errorf("%s: %d %s, want %s", target, res.StatusCode, body, want)
		}
	}
	for _, target := range []string{"/api/customers/%2e%2e/home", "/api/customers/..%2f/home", "/api/customers/%252e%252e/home", "/api/customers/a%5cb/home", "/api/customers/7/home?page=1&page=2", "/api/customers/;/home"} {
		clear(b.seen)
		r := newRequest(t, "GET", b.URL+"/", "")
		r.URL.Opaque = "//" + r.URL.Host + target                                                  // as written
		if res, _ := do(t, r); res.StatusCode != 400 && res.StatusCode != 405 || len(b.seen) > 0 { // 405: the harness's word for no route
			t.Errorf("%s: %d, and the upstream saw %v", target, res.StatusCode, b.seen)
		}
	}
}

// A token that was revoked early is renewed, and each leg that it was refused at is asked once more.
func TestALegsTokenIsRenewedOnce(t *testing.T) {
	b := newBuffet(t, func(b *buffet, c *Config) {
		b.caller.Renew = func(context.Context) (string, bool) { return "newer", true }
		for _, path := range []string{"/a", "/b"} {
			b.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if r.Header.Get("Authorization") != "Bearer newer" {
					w.WriteHeader(401)
				}
				io.WriteString(w, `1`)
			})
		}
		b.says("/never", 401, `{}`)
		never := b.leg("/never")
		never.Optional = true
		c.Legs = map[string]compose.Leg{"a": b.leg("/a"), "b": b.leg("/b"), "never": never}
	})
	if res, body := get(t, b.URL+"/api/home"); res.StatusCode != 200 || body != `{"a":1,"b":1,"never":null}` || res.Header.Get("X-Cloakroom-Partial") != "never" {
		t.Errorf("%d %s %v", res.StatusCode, body, b.errs)
	}
}

func TestAFailedLegIsNamedAndNothingElse(t *testing.T) {
	b := newBuffet(t, func(b *buffet, c *Config) {
		b.mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/me", http.StatusFound) })
		c.Legs["part"] = b.leg("/elsewhere")
	})
	res, body := get(t, b.URL+"/api/home")
	f, ok := errors.AsType[*LegFailure](b.failure())
	if res.StatusCode != 502 || body != "" || !ok || f.Leg != "part" || f.Outcome != compose.Status || f.Status != 302 {
		t.Errorf("%d %s: %v; redirects are not followed", res.StatusCode, body, b.failure())
	}
	b = newBuffet(t, func(b *buffet, c *Config) {
		gone := b.leg("/")
		gone.URL = "http://127.0.0.1:1/secret-path"
		c.Legs["part"] = gone
	})
	get(t, b.URL+"/api/home")
	if f, ok := errors.AsType[*LegFailure](b.failure()); !ok || f.Outcome != compose.Unreachable || strings.Contains(f.Error(), "secret-path") || strings.Contains(f.Error(), token) {
		t.Errorf("%v", b.failure())
	}
}

func TestAClientThatGoesEndsTheLegs(t *testing.T) {
	var begun, ended chan struct{}
	b := newBuffet(t, func(b *buffet, c *Config) {
		begun, ended = b.hangs("/slow")
		c.Legs["slow"] = b.leg("/slow")
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	if res, err := client.Do(newRequest(t, "GET", b.URL+"/api/home", "").WithContext(ctx)); err == nil {
		t.Errorf("%d, to a client that went away", res.StatusCode)
	}
	<-ended
	b.Close() // waits for the handler
	if err := b.failure(); !errors.Is(err, ErrClientGone) {
		t.Errorf("%v", err)
	}
	slices.Sort(b.outcomes)
	if b.outcomes[len(b.outcomes)-1] != "slow cancelled" {
		t.Errorf("outcomes %v", b.outcomes)
	}
}

// LAW 2: a session that ends while a composed answer is made takes it along.
func TestASessionThatEndsTakesTheAnswerAlong(t *testing.T) {
	var ended chan struct{}
	over := make(chan Over, 1)
	b := newBuffet(t, func(b *buffet, c *Config) {
		_, ended = b.hangs("/slow")
		c.Legs["slow"] = b.leg("/slow")
		b.caller.Track = func(k Kind, end func(Ending)) (func(Over), error) {
			go end(Ending{Cause: errors.New("signed out")})
			return func(o Over) { over <- o }, nil
		}
	})
	res, body := get(t, b.URL+"/api/home")
	if err := b.failure(); res.StatusCode == 200 || body != "" || !errors.Is(err, ErrEnded) {
		t.Errorf("%d %s, %v", res.StatusCode, body, err)
	}
	<-ended
	<-over
}

// Users whose requests cross each other get their own answers.
func TestComposedAnswersDoNotMix(t *testing.T) {
	b := newBuffet(t, func(b *buffet, c *Config) {
		c.Path = "/api/home/{user}"
		c.Shape = `[.a.who, .b.who, $path.user]`
		for _, path := range []string{"/a/{user}", "/b/{user}"} {
			b.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprintf(w, `{"who":%q}`, r.PathValue("user"))
			})
		}
		c.Legs = map[string]compose.Leg{"a": b.leg("/a/{user}"), "b": b.leg("/b/{user}")}
	})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 10 {
				who := fmt.Sprintf("u%d-%d", i, j)
				r, _ := http.NewRequest("GET", b.URL+"/api/home/"+who, nil)
				res, err := client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(res.Body)
				res.Body.Close()
				if want := fmt.Sprintf(`["%s","%s","%s"]`, who, who, who); string(body) != want {
					t.Errorf("%d %s, want %s", res.StatusCode, body, want)
				}
			}
		})
	}
	wg.Wait()
}

// OAX-04: each leg's upstream gets the token that the leg says, or no request.
func TestLegsGetTheirOwnTokens(t *testing.T) {
	refuse, ended := errors.New("the provider says no"), errors.New("signed out")
	b := newBuffet(t, func(b *buffet, c *Config) {
		b.caller.TokenFor = func(_ context.Context, want tokens.Token) (string, func(context.Context) (string, bool), error) {
			switch want.Audience {
			case "refused":
				return "", nil, refuse
			case "ended":
				return "", nil, fmt.Errorf("%w: %w", ErrEnded, ended)
			}
			return want.Method + "-" + want.Audience, nil, nil
		}
		narrow := func(audience string, optional bool) compose.Leg {
			l := b.leg("/" + audience)
			l.Token.Audience, l.Optional = audience, optional
			return l
		}
		b.says("/refused", 200, `1`)
		b.says("/none", 200, `1`)
		none := b.leg("/none")
		none.Token.Method = "none"
		c.Legs = map[string]compose.Leg{"me": b.leg("/me"), "orders": narrow("orders", false), "none": none, "refused": narrow("refused", true)}
	})
	res, body := get(t, b.URL+"/api/home")
	if res.StatusCode != 200 || res.Header.Get("X-Cloakroom-Partial") != "refused" || len(b.got("/refused").Header) != 0 {
		t.Errorf("%d %s %v, %v", res.StatusCode, body, res.Header, b.errs)
	}
	for path, want := range map[string]string{"/me": "Bearer session-", "/orders": "Bearer exchange-orders", "/none": ""} {
		if got := b.got(path).Header.Get("Authorization"); got != want {
			t.Errorf("%s got %q, want %q", path, got, want)
		}
	}
	for _, c := range []struct {
		audience string
		optional bool
		want     error
	}{{"refused", false, refuse}, {"ended", true, ended}} {
		b := newBuffet(t, func(b2 *buffet, conf *Config) {
			b2.caller.TokenFor = b.caller.TokenFor
			l := b2.leg("/orders")
			l.Token.Audience, l.Optional = c.audience, c.optional
			conf.Legs["orders"] = l
		})
		if res, body := get(t, b.URL+"/api/home"); res.StatusCode == 200 || !errors.Is(b.failure(), c.want) {
			t.Errorf("%s: %d %s, %v", c.audience, res.StatusCode, body, b.failure())
		}
	}
}
