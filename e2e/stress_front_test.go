package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"cloakroom/e2e/up"
)

// front stands between the replicas and the provider, as a gateway does, and makes the faults. Each replica has a token endpoint of its own, which
// front writes into the discovery document that it fetches when it starts: so it is known who sends.
type front struct {
	*book
	t        *testing.T
	seed     uint64
	server   *httptest.Server
	provider *url.URL
	pass     http.Handler
	client   *http.Client
}

// tokenPath is followed by the replica's name.
const tokenPath = "/token/"

func newFront(t *testing.T, seed uint64, provider string) *front {
	f := &front{
		book: newBook(), t: t, seed: seed, provider: &url.URL{Scheme: "http", Host: provider},
		client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}, // a POST on a connection that just closes would be a fault of our own
	}
	f.pass = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = f.provider.Scheme, f.provider.Host },
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
			panic(http.ErrAbortHandler) // who asked hung up, or the provider did: no answer either way
		},
	}
	f.server = httptest.NewServer(f)
	t.Cleanup(f.server.Close)
	return f
}

func (f *front) address() string { return f.server.Listener.Addr().String() }

// ServeHTTP passes everything on but what it has to do with.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	by, isToken := strings.CutPrefix(r.URL.Path, tokenPath)
	switch {
	case strings.HasPrefix(r.URL.Path, "/.well-known/"):
		f.discovery(w, r)
	case isToken:
		f.token(w, r, by)
	default:
		f.pass.ServeHTTP(w, r)
	}
}

// reply is an answer of the provider.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (a reply) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", a.header.Get("Content-Type"))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// ask asks the provider, whether or not the replica still waits.
func (f *front) ask(r *http.Request, path string, body []byte) (reply, bool) {
	req, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, f.provider.String()+path, bytes.NewReader(body))
	if err != nil {
		f.t.Errorf("front: %v", err)
		return reply{}, false
	}
	req.Header, req.Host = r.Header.Clone(), r.Host
	res, err := f.client.Do(req)
	if err != nil {
		f.t.Errorf("front: the provider does not answer: %v", err)
		return reply{}, false
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Errorf("front: the provider does not answer: %v", err)
		return reply{}, false
	}
	return reply{res.StatusCode, res.Header, text}, true
}

// discovery answers with the endpoint for the replica that is being started.
func (f *front) discovery(w http.ResponseWriter, r *http.Request) {
	a, ok := f.ask(r, r.URL.Path, nil)
	var doc map[string]any
	if !ok || json.Unmarshal(a.body, &doc) != nil {
		http.Error(w, "no discovery document", http.StatusBadGateway)
		return
	}
	doc["token_endpoint"] = "http://" + r.Host + tokenPath + f.starting()
	a.body, _ = json.Marshal(doc)
	a.write(w)
}

// grant is what is read of the provider's answer.
type grant struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Error   string `json:"error"`
}

// sub is whom the ID token is about.
func (g grant) sub() string {
	parts := strings.Split(g.ID, ".")
	if len(parts) != 3 {
		return ""
	}
	var claims struct{ Sub string }
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	return claims.Sub
}

// token is a request at a replica's token endpoint. Sign-ins pass; refreshes meet their fault.
func (f *front) token(w http.ResponseWriter, r *http.Request, by string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	form, _ := url.ParseQuery(string(body))
	if form.Get("grant_type") != "refresh_token" {
		if a, ok := f.ask(r, "/token", body); ok {
			var g grant
			_ = json.Unmarshal(a.body, &g)
			f.signedIn(g.sub(), up.Thumbprint(g.Refresh))
			a.write(w)
		}
		return
	}
	s := f.arrive(by, up.Thumbprint(form.Get("refresh_token")))
	if s == nil {
		f.t.Errorf("front: %s sends a refresh token that nobody was given", by)
		panic(http.ErrAbortHandler)
	}
	d := dice(f.seed, s.family.sub, s.n)
	f.meet(s, draw(d), d.IntN(2) == 0)
	do := func() (reply, bool) {
		a, ok := f.ask(r, "/token", body)
		var g grant
		_ = json.Unmarshal(a.body, &g)
		f.forwarded(s, a.status, g)
		return a, ok
	}
	if s.trap != nil {
		f.trapped(w, r, s, do)
		return
	}
	f.suffer(w, r, s, d, do)
}

// suffer does what the refresh's fault says.
func (f *front) suffer(w http.ResponseWriter, r *http.Request, s *send, d *rand.Rand, do func() (reply, bool)) {
	gaveUp := r.Context().Done()
	switch s.fault {
	case failed:
		f.refuse(w, d)
		f.answered(s)
		return
	case hidden:
		do()
		f.refuse(w, d)
		f.answered(s)
		return
	case never:
		<-gaveUp
		f.left(s)
		return
	case late:
		<-gaveUp
		f.left(s)
		do()
		return
	case held:
		do()
		<-gaveUp
		f.left(s)
		return
	case cut:
		do()
		panic(http.ErrAbortHandler)
	}
	a, ok := do()
	if !ok {
		panic(http.ErrAbortHandler)
	}
	if s.fault == slow {
		wait(r.Context(), 100*time.Millisecond+time.Duration(d.IntN(600))*time.Millisecond)
	}
	f.deliver(w, r, s, a)
}

// refuse answers as a provider, or what stands before it, does in trouble.
func (f *front) refuse(w http.ResponseWriter, d *rand.Rand) {
	status := []int{500, 502, 503, 504, 429}[d.IntN(5)]
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<h1>%d</h1>", status)
}

// deliver hands the provider's answer to the replica, if it is still there.
func (f *front) deliver(w http.ResponseWriter, r *http.Request, s *send, a reply) {
	if r.Context().Err() != nil {
		f.left(s)
		return
	}
	a.write(w)
	f.answered(s)
}

// trapped holds a refresh until its replica was struck, before or after the provider does it.
func (f *front) trapped(w http.ResponseWriter, r *http.Request, s *send, do func() (reply, bool)) {
	if s.before {
		s.trap.caught <- struct{}{}
		if <-s.trap.over; s.trap.kills {
			return // it died with its replica
		}
		if a, ok := do(); ok { // the replica went on, and so does what it sent
			f.deliver(w, r, s, a)
		}
		return
	}
	a, ok := do()
	s.trap.caught <- struct{}{}
	if <-s.trap.struck; ok {
		f.deliver(w, r, s, a)
	}
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
