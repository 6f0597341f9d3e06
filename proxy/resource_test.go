package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/configs/secret"
	"cloakroom/proxy/tokens"
)

// library is an upstream of documents, and a route that looks at them first.
func library(t *testing.T, change func(*Config)) (rt *Route, asked *atomic.Int64, last *atomic.Pointer[http.Request]) {
	t.Helper()
	asked, last = new(atomic.Int64), new(atomic.Pointer[http.Request])
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		last.Store(r)
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/documents/7":
			w.Write([]byte(`{"owner":"alice","state":"draft","pages":12}`))
		case "/documents/list":
			w.Write([]byte(`[1,2]`))
		case "/documents/large":
			w.Write([]byte(`{"text":"` + strings.Repeat("x", 100<<10) + `"}`))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(up.Close)
	c := conf("/api/documents/{id}")
	c.Upstream = up.URL
	c.Resource = ResourceConfig{URL: up.URL + "/documents/{id}", Timeout: time.Second, MaxBody: 64 << 10}
	if change != nil {
		change(&c)
	}
	table, err := Compile([]Config{c}, nil, Deps{OnError: func(http.ResponseWriter, *http.Request, error) {}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(table.Close)
	return table.Routes()[0], asked, last
}

func TestTheResourceOfARequestIsLookedUp(t *testing.T) {
	rt, _, last := library(t, nil)
	r := httptest.NewRequest("DELETE", "/api/documents/7?x=1", strings.NewReader("body"))
	r.Header.Set("Cookie", "session=secret")
	got, err := rt.Resource(t.Context(), r, Caller{Bearer: token}, "alice")
	if err != nil || got["owner"] != "alice" || got["pages"] != float64(12) {
		t.Fatalf("got %v, %v", got, err)
	}
	asked := last.Load()
	if asked.Method != "GET" || asked.URL.RawQuery != "" || asked.ContentLength != 0 {
		t.Errorf("asked by %s %s with %d bytes", asked.Method, asked.URL, asked.ContentLength)
	}
	if asked.Header.Get("Authorization") != "Bearer "+token || asked.Header.Get("Cookie") != "" {
		t.Errorf("asked with %v", asked.Header)
	}
}

func TestAResourceThatCannotBeHadIsAnError(t *testing.T) {
	rt, _, _ := library(t, nil)
	for id, want := range map[string]int{"8": http.StatusNotFound, "large": 0, "list": 0} {
		got, err := rt.Resource(t.Context(), httptest.NewRequest("GET", "/api/documents/"+id, nil), Caller{}, "")
		if err == nil {
			t.Errorf("%s: %v", id, got)
		}
		if leg, ok := errors.AsType[*LegFailure](err); want != 0 && (!ok || leg.Status != want) {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// A session that ends while its token is sought is no outage, so whoever decides must be able to tell.
func TestAResourceThatIsAskedForByNobodyAnyMoreSaysSo(t *testing.T) {
	for _, cache := range []time.Duration{0, time.Minute} {
		rt, asked, _ := library(t, func(c *Config) { c.Resource.Cache = cache })
		over := fmt.Errorf("%w: logged out", ErrEnded)
		_, err := rt.Resource(t.Context(), httptest.NewRequest("GET", "/api/documents/7", nil), Caller{
			TokenFor: func(context.Context, tokens.Token) (string, func(context.Context) (string, bool), error) {
				return "", nil, over
			},
		}, "alice")
		if !errors.Is(err, over) || asked.Load() != 0 {
			t.Errorf("%v, asked %d times", err, asked.Load())
		}
	}
}

// OAX-05 in small: what one user may see of a resource is not what another may.
func TestAResourceIsRememberedForOneUser(t *testing.T) {
	rt, asked, _ := library(t, func(c *Config) { c.Resource.Cache = time.Minute })
	for i, step := range []struct {
		who, path string
		want      int64
	}{
		{"alice", "/api/documents/7", 1}, {"alice", "/api/documents/7", 1},
		{"bob", "/api/documents/7", 2}, {"alice", "/api/documents/8", 3}, {"alice", "/api/documents/8", 4},
	} {
		rt.Resource(t.Context(), httptest.NewRequest("GET", step.path, nil), Caller{}, step.who)
		if asked.Load() != step.want {
			t.Errorf("step %d: asked %d times, want %d", i, asked.Load(), step.want)
		}
	}
}

// What was found out for one tenant says nothing of another's document of that name. What differs from request to request anyway, such as a trace, does not count.
func TestAResourceIsRememberedForWhatTheClientSaidBesides(t *testing.T) {
	rt, asked, last := library(t, func(c *Config) { c.Resource.Cache = time.Minute })
	for i, step := range []struct {
		header []string
		want   int64
		tenant string
	}{
		{[]string{"X-Tenant", "one", "Traceparent", "00-1"}, 1, "one"},
		{[]string{"X-Tenant", "one", "Traceparent", "00-2", "Content-Type", "text/plain"}, 1, "one"},
		{[]string{"X-Tenant", "two"}, 2, "two"},
		{[]string{"X-Tenant", "one", "Connection", "X-Tenant"}, 3, ""},
		{nil, 3, ""},
		{[]string{"X-Tenant", "one", "X-Tenant", "two"}, 4, "one"},
		{[]string{"X-Tenan", "tone"}, 5, ""},
	} {
		r := httptest.NewRequest("GET", "/api/documents/7", nil)
		for n := 0; n < len(step.header); n += 2 {
			r.Header.Add(step.header[n], step.header[n+1])
		}
		if _, err := rt.Resource(t.Context(), r, Caller{}, "alice"); err != nil {
			t.Fatal(err)
		}
		if asked.Load() != step.want || last.Load().Header.Get("X-Tenant") != step.tenant {
			t.Errorf("step %d: asked %d times, want %d; at last with %v", i, asked.Load(), step.want, last.Load().Header)
		}
	}
}

func TestAResourceIsConfiguredWhereTheRouteHasItsValues(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*ResourceConfig)
		key    string
	}{
		"a value that the path has not": {func(r *ResourceConfig) { r.URL = "http://a:1/{nobody}" }, "resource.url"},
		"two addresses":                 {func(r *ResourceConfig) { r.Upstream = "a" }, "resource.path"},
		"a path of nothing":             {func(r *ResourceConfig) { *r = ResourceConfig{Path: "/x"} }, "resource.path"},
		"a long memory":                 {func(r *ResourceConfig) { r.Cache = time.Hour }, "resource.cache"},
		"a header that is ours":         {func(r *ResourceConfig) { r.Headers = map[string]secret.String{"Authorization": "x"} }, "resource.headers.Authorization"},
	} {
		conf := conf("/api/documents/{id}")
		conf.Resource = ResourceConfig{URL: "http://a:1/documents/{id}", Timeout: time.Second, MaxBody: 1}
		c.change(&conf.Resource)
		told := map[string]string{}
		conf.Validate(func(key, problem string) { told[key] = problem })
		if _, ok := told[c.key]; !ok || len(told) != 1 {
			t.Errorf("%s: %v", name, told)
		}
	}
}

// OAX-17: what an upstream wants of the user is for who knows the user to judge, and no newer token is tried for it.
func TestAChallengeIsJudgedBeforeANewTokenIsTried(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_user_authentication", acr_values="urn:mfa"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(up.Close)
	judged, renewed := []string(nil), false
	for name, stands := range map[string]bool{"taken over": false, "left alone": true} {
		g := newGateway(t, up.URL, func(_ *Config, c *Caller) {
			c.Renew = func(context.Context) (string, bool) { renewed = true; return "", false }
			c.Challenged = func(challenges []string) error {
				if judged = challenges; stands {
					return nil
				}
				return errors.New("step up")
			}
		})
		renewed = false
		res, err := http.Get(g.URL)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if len(judged) != 1 || !strings.Contains(judged[0], "urn:mfa") {
			t.Errorf("%s: judged %q", name, judged)
		}
		if taken := errors.Is(g.lastError(), ErrChallenged); taken == stands || renewed != stands {
			t.Errorf("%s: %d, %v, renewed %v", name, res.StatusCode, g.lastError(), renewed)
		}
	}
}
