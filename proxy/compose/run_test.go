package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// kitchen is an upstream for all legs of a test: each has its own path.
type kitchen struct {
	*httptest.Server
	mux  *http.ServeMux
	mu   sync.Mutex
	seen []string
}

func newKitchen(t testing.TB) *kitchen {
	k := &kitchen{mux: http.NewServeMux()}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.mu.Lock()
		k.seen = append(k.seen, r.URL.RequestURI())
		k.mu.Unlock()
		k.mux.ServeHTTP(w, r)
	}))
	t.Cleanup(k.Close)
	k.says("/me", 200, "application/json", `{"name":"Ada"}`)
	k.says("/orders", 200, "application/json", `{"items":[{"id":1,"total":"9.50","x":0}]}`)
	return k
}

// says answers a path with a fixed answer.
func (k *kitchen) says(path string, status int, kind, body string, header ...string) {
	k.mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
}

// hangs answers a path when the request is cancelled, and tells of both.
func (k *kitchen) hangs(t testing.TB, path string) (begun, ended chan struct{}) {
	begun, ended = make(chan struct{}, 8), make(chan struct{}, 8)
	k.mux.HandleFunc(path, func(_ http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	})
	return begun, ended
}

// leg is a required leg with the defaults.
func (k *kitchen) leg(path string) Leg {
	return Leg{URL: k.URL + path, Timeout: 10 * time.Second, MaxBody: 1 << 20}
}

func optional(l Leg) Leg {
	l.Optional = true
	return l
}

// fetch is the plainest Fetch.
func (k *kitchen) fetch(ctx context.Context, _ string, t Target) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, k.URL+t.RawPath+"?"+t.Query, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept-Encoding", "identity") // or the transport would ask for gzip itself, and undo it
	return k.Client().Transport.RoundTrip(r)
}

func plan(t testing.TB, c Config, names ...string) *Plan {
	t.Helper()
	p, err := New(c, names, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOneAnswerOfSeveral(t *testing.T) {
	k := newKitchen(t)
	k.says("/none", 204, "", "")
	k.says("/broken", 500, "application/json", `{"error":"the-secret"}`)
	k.says("/moved", 302, "application/json", `{}`, "Location", "/me")
	k.says("/page", 200, "text/html", `{}`)
	k.says("/two", 200, "application/json", `{} {}`)
	k.says("/huge", 200, "application/json", `"`+strings.Repeat("x", 1<<20)+`"`)
	for _, c := range []struct {
		name, shape string
		legs        map[string]Leg
		body        string
		partial     string
	}{
		{"without a shape, each leg under its name, as it came", "", map[string]Leg{"me": k.leg("/me"), "orders": k.leg("/orders")}, `{"me":{"name":"Ada"},"orders":{"items":[{"id":1,"total":"9.50","x":0}]}}`, ""},
		{"with a shape", `{name: .me.name, recent: [.orders.items[]? | {id, total}]}`, map[string]Leg{"me": k.leg("/me"), "orders": k.leg("/orders")}, `{"name":"Ada","recent":[{"id":1,"total":"9.50"}]}`, ""},
		{"204 is null", "", map[string]Leg{"a": k.leg("/none"), "b": k.leg("/me")}, `{"a":null,"b":{"name":"Ada"}}`, ""},
		{"optional legs that fail are null, and named", "", map[string]Leg{"me": k.leg("/me"), "z": optional(k.leg("/broken")), "b": optional(k.leg("/moved")), "c": optional(k.leg("/page")), "d": optional(k.leg("/two")), "e": optional(k.leg("/huge")), "f": optional(k.leg("/nowhere"))},
			`{"b":null,"c":null,"d":null,"e":null,"f":null,"me":{"name":"Ada"},"z":null}`, "b, c, d, e, f, z"},
		{"an optional leg that fails is null for the shape", `{name: .me.name, n: (.z | length)}`, map[string]Leg{"me": k.leg("/me"), "z": optional(k.leg("/broken"))}, `{"n":0,"name":"Ada"}`, "z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := plan(t, Config{Legs: c.legs, Shape: c.shape}).Run(t.Context(), Request{}, k.fetch, nil)
			if err != nil || string(a.Body) != c.body || a.Partial != c.partial {
				t.Errorf("%+v, %v\nwant %s, partial %q", a, err, c.body, c.partial)
			}
		})
	}
}

func TestARequiredLegThatFailsIsTheAnswer(t *testing.T) {
	k := newKitchen(t)
	k.says("/broken", 500, "application/json", `{"error":"the-secret"}`)
	k.says("/gone", 404, "application/json", `{}`)
	k.says("/busy", 429, "application/json", `{}`, "Retry-After", "7")
	k.says("/moved", 302, "application/json", `{}`, "Location", "/me")
	k.says("/page", 200, "text/html", `the-secret`)
	k.says("/two", 200, "application/json", `{} "the-secret"`)
	k.says("/gzip", 200, "application/json", `{}`, "Content-Encoding", "gzip")
	k.says("/huge", 200, "application/json", `"`+strings.Repeat("x", 1<<20)+`"`)
	k.mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) { // of no announced length
		w.Header().Set("Content-Type", "application/json")
		for range 1 << 10 {
			if _, err := fmt.Fprintf(w, "%4096s", " "); err != nil {
				return
			}
		}
	})
	k.mux.HandleFunc("/half", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, `{"a":`)
	})
	k.hangs(t, "/slow")
	k.mux.HandleFunc("/stalls", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"a":`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	for _, c := range []struct {
		path   string
		want   Outcome
		status int
	}{
		{"/broken", Status, 500}, {"/gone", Status, 404}, {"/busy", Status, 429}, {"/moved", Status, 302}, {"/page", Malformed, 0}, {"/two", Malformed, 0}, {"/gzip", Malformed, 0}, {"/huge", TooLarge, 0},
		{"/endless", TooLarge, 0}, {"/half", Unreachable, 0}, {"/slow", TimedOut, 0}, {"/stalls", TimedOut, 0},
	} {
		t.Run(c.path, func(t *testing.T) {
			l := k.leg(c.path)
			if c.want == TimedOut {
				l.Timeout = 30 * time.Millisecond
			}
			a, err := plan(t, Config{Legs: map[string]Leg{"me": k.leg("/me"), "part": l}}).Run(t.Context(), Request{}, k.fetch, nil)
			f, ok := errors.AsType[*Failure](err)
			if a != nil || !ok || f.Leg != "part" || f.Outcome != c.want || f.Status != c.status {
				t.Fatalf("%v, %v", a, err)
			}
			if text := err.Error(); strings.Contains(text, "secret") || strings.Contains(text, "127.0.0.1") {
				t.Errorf("the error tells of the upstream: %s", text)
			}
			if c.status == 429 && f.RetryAfter != 7*time.Second {
				t.Errorf("retry after %v", f.RetryAfter)
			}
		})
	}
}

func TestAFailedLegCancelsTheOthers(t *testing.T) {
	k := newKitchen(t)
	begun, ended := k.hangs(t, "/slow")
	failing := make(chan struct{})
	k.mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) {
		<-failing
		w.WriteHeader(500)
	})
	go func() {
		<-begun
		<-begun
		close(failing)
	}()
	p := plan(t, Config{Legs: map[string]Leg{"a": k.leg("/slow"), "b": k.leg("/broken"), "c": optional(k.leg("/slow"))}})
	got := map[string]Outcome{}
	_, err := p.Run(t.Context(), Request{}, k.fetch, func(leg string, o Outcome, took time.Duration) {
		if got[leg] = o; took <= 0 {
			t.Errorf("%s took %v", leg, took)
		}
	})
	<-ended
	<-ended
	if f, ok := errors.AsType[*Failure](err); !ok || f.Leg != "b" {
		t.Errorf("%v, want the failure of b", err)
	}
	if fmt.Sprint(got) != "map[a:cancelled b:status c:cancelled]" {
		t.Errorf("outcomes %v", got)
	}
}

func TestWhoeverEndsTheRequestEndsItsLegs(t *testing.T) {
	k := newKitchen(t)
	begun, ended := k.hangs(t, "/slow")
	gone := errors.New("the session has ended")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-begun
		<-begun
		cancel(gone)
	}()
	p := plan(t, Config{Legs: map[string]Leg{"a": optional(k.leg("/slow")), "b": k.leg("/slow")}})
	if a, err := p.Run(ctx, Request{}, k.fetch, nil); a != nil || !errors.Is(err, gone) {
		t.Errorf("%v, %v", a, err)
	}
	<-ended
	<-ended
}

func TestLegsAreAskedAtTheSameTime(t *testing.T) {
	k := newKitchen(t)
	legs := map[string]Leg{}
	var all sync.WaitGroup
	all.Add(maxLegs)
	k.mux.HandleFunc("/meet", func(w http.ResponseWriter, _ *http.Request) {
		all.Done()
		all.Wait() // for ever, if one is asked after the other
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, "1")
	})
	for i := range maxLegs {
		legs[fmt.Sprintf("l%d", i)] = k.leg("/meet")
	}
	if _, err := plan(t, Config{Legs: legs}).Run(t.Context(), Request{}, k.fetch, nil); err != nil {
		t.Error(err)
	}
}

func TestARequestThatCannotBeComposedAsksNobody(t *testing.T) {
	k := newKitchen(t)
	l := k.leg("/users/{id}")
	l.Query = []string{"page"}
	p := plan(t, Config{Legs: map[string]Leg{"me": k.leg("/me"), "user": l}}, "id")
	for _, r := range []Request{{Path: map[string]string{"id": ".."}}, {Path: map[string]string{"id": "7"}, RawQuery: "page=1&page=2"}} {
		if a, err := p.Run(t.Context(), r, k.fetch, nil); !errors.Is(err, ErrRequest) {
			t.Errorf("%+v: %v, %v", r, a, err)
		}
	}
	if len(k.seen) != 0 {
		t.Errorf("asked for %q", k.seen)
	}
}

func TestARequestChoosesItsShape(t *testing.T) {
	k := newKitchen(t)
	p := plan(t, Config{Legs: map[string]Leg{"me": k.leg("/me")}, Shapes: map[string]string{"web": `{web: .me.name}`, "mobile": `.me.name`}, ShapeBy: ShapeBy{Header: "X-Client", Query: "client", Default: "web"}})
	for _, c := range []struct {
		name, query string
		header      []string
		want        string
	}{
		{"none: the default", "", nil, `{"web":"Ada"}`},
		{"by header", "", []string{"mobile"}, `"Ada"`},
		{"by query", "x=1&client=mobile", nil, `"Ada"`},
		{"the query wins", "client=web", []string{"mobile"}, `{"web":"Ada"}`},
		{"an unknown one", "client=tv", nil, ""},
		{"an unknown one in the header", "", []string{"tv"}, ""},
		{"two headers", "", []string{"web", "mobile"}, ""},
		{"two parameters", "client=web&client=web", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := p.Run(t.Context(), Request{RawQuery: c.query, Header: http.Header{"X-Client": c.header}}, k.fetch, nil)
			if c.want == "" && errors.Is(err, ErrRequest) {
				return
			}
			if err != nil || string(a.Body) != c.want {
				t.Errorf("%v, %v; want %s", a, err, c.want)
			}
		})
	}
}

func TestAnAnswerIsBounded(t *testing.T) {
	k := newKitchen(t)
	for name, c := range map[string]Config{"plain": {}, "shaped": {Shape: `[.me.name, .me.name]`}, "escaped": {Shape: `"\u0001\u0001\u0001\u0001"`}} {
		c.Legs = map[string]Leg{"me": k.leg("/me")}
		p, err := New(c, nil, 12, nil)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := p.Run(t.Context(), Request{}, k.fetch, nil); !errors.Is(err, ErrShape) || !errors.Is(err, errLarge) {
			t.Errorf("%s: %v, %v", name, a, err)
		}
	}
}

func TestAPanicIsTheRequestsOwn(t *testing.T) {
	k := newKitchen(t)
	defer func() {
		if p := recover(); p != "boom" {
			t.Errorf("panic %v, want that of the leg, in the goroutine of the request", p)
		}
	}()
	plan(t, Config{Legs: map[string]Leg{"me": k.leg("/me")}}).Run(t.Context(), Request{}, func(context.Context, string, Target) (*http.Response, error) { panic("boom") }, nil)
}

func TestALegWithoutATokenFails(t *testing.T) {
	k := newKitchen(t)
	refuse := func(context.Context, string, Target) (*http.Response, error) {
		return nil, fmt.Errorf("%w: no grant", ErrToken)
	}
	_, err := plan(t, Config{Legs: map[string]Leg{"me": k.leg("/me")}}).Run(t.Context(), Request{}, refuse, nil)
	if f, ok := errors.AsType[*Failure](err); !ok || f.Outcome != NoToken || !errors.Is(err, ErrToken) {
		t.Errorf("%v", err)
	}
}
