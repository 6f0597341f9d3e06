package policy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// transport is an agent that is a function.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// says is the answer of an agent.
func says(body string) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func agentAt(url string) OPAConfig {
	return OPAConfig{URL: url, Timeout: time.Second, Cache: time.Second}
}

const decision = "http://agent.example:8181/v1/data/orders/allow"

// AUZ-04, law 5: only true allows. Whatever is not an agent's answer is an outage, and no pass.
func TestAnswersOfAgents(t *testing.T) {
	const yes = `{"result":true}`
	for name, c := range map[string]struct {
		status      int
		media, body string
		want        string
		unavailable bool
	}{
		"true":                          {200, "application/json", `{"decision_id":"86c17ff1-0001","result":true}`, "", false},
		"an object that allows":         {200, "application/json; charset=utf-8", `{"result":{"allow":true,"reason":"x"}}`, "", false},
		"false":                         {200, "application/json", `{"decision_id":"86c17ff1-0001","result":false}`, ReasonOPA, false},
		"an object that does not allow": {200, "application/json", `{"result":{"allow":false}}`, ReasonOPA, false},
		"no result":                     {200, "application/json", `{"decision_id":"86c17ff1-0001"}`, ReasonOPAUndefined, false},
		"an empty answer":               {200, "application/json", `{}`, ReasonOPAUndefined, false},
		"a result in other letters":     {200, "application/json", `{"Result":true}`, ReasonOPAUndefined, false},
		"\"true\"":                      {200, "application/json", `{"result":"true"}`, ReasonOPAUnclear, false},
		"1":                             {200, "application/json", `{"result":1}`, ReasonOPAUnclear, false},
		"null":                          {200, "application/json", `{"result":null}`, ReasonOPAUnclear, false},
		"an empty object":               {200, "application/json", `{"result":{}}`, ReasonOPAUnclear, false},
		"a list":                        {200, "application/json", `{"result":[true]}`, ReasonOPAUnclear, false},
		"allow as text":                 {200, "application/json", `{"result":{"allow":"true"}}`, ReasonOPAUnclear, false},
		"allow in other letters":        {200, "application/json", `{"result":{"Allow":true}}`, ReasonOPAUnclear, false},
		"allow inside allow":            {200, "application/json", `{"result":{"allow":{"allow":true}}}`, ReasonOPAUnclear, false},
		"a result twice":                {200, "application/json", `{"result":false,"result":true}`, ReasonOPAUnavailable, true},
		"two answers":                   {200, "application/json", yes + yes, ReasonOPAUnavailable, true},
		"the answer alone":              {200, "application/json", `true`, ReasonOPAUnavailable, true},
		"half an answer":                {200, "application/json", `{"result":tr`, ReasonOPAUnavailable, true},
		"no answer":                     {200, "application/json", ``, ReasonOPAUnavailable, true},
		"a long answer":                 {200, "application/json", `{"result":true,"x":"` + strings.Repeat("x", maxAnswer) + `"}`, ReasonOPAUnavailable, true},
		"text":                          {200, "text/html", yes, ReasonOPAUnavailable, true},
		"of no type":                    {200, "", yes, ReasonOPAUnavailable, true},
		"a mistake of ours":             {400, "application/json", `{"code":"invalid_parameter"}`, ReasonOPAUnavailable, true},
		"no access":                     {401, "application/json", yes, ReasonOPAUnavailable, true},
		"a conflict of rules":           {500, "application/json", yes, ReasonOPAUnavailable, true},
		"created":                       {201, "application/json", yes, ReasonOPAUnavailable, true},
		"a redirect":                    {307, "application/json", yes, ReasonOPAUnavailable, true},
	} {
		asked := 0
		o := NewOPAClient(OPADeps{Transport: transport(func(r *http.Request) (*http.Response, error) {
			asked++
			res, _ := says(c.body)
			res.StatusCode, res.Header = c.status, http.Header{"Content-Type": {c.media}, "Location": {"http://elsewhere.example/v1/data/x"}}
			return res, nil
		})})
		s := newSet(t, nil)
		v := compile(t, s, own(Terms{OPA: agentAt(decision)}), false).Ask(t.Context(), s.Subject(alice()), request("GET", "/"), Sources{OPA: o})
		if v.Reason != c.want || v.Allow != (c.want == "") || v.Unavailable != c.unavailable || !v.Allow && v.Rule != "opa" || asked != 1 {
			t.Errorf("%s: %+v, asked %d times; want %q", name, v, asked, c.want)
		}
		if strings.Contains(c.body, "86c17ff1") != (v.DecisionID == "86c17ff1-0001") {
			t.Errorf("%s: decision %q", name, v.DecisionID)
		}
	}
}

func TestDecisionIDsThatCannotStandInALog(t *testing.T) {
	for _, id := range []string{`a\nb`, `a b`, `a,b`, `ä`, strings.Repeat("a", 129)} {
		if v := readAnswer(200, "application/json", []byte(`{"decision_id":"`+id+`","result":true}`)); v.DecisionID != "" || !v.Allow {
			t.Errorf("%q: %+v", id, v)
		}
	}
}

// LOG-02, AUZ-04: the question is what docs/rules.md says, and has no credential in it.
func TestWhatAgentsAreTold(t *testing.T) {
	var got *http.Request
	var body []byte
	o := NewOPAClient(OPADeps{Transport: transport(func(r *http.Request) (*http.Response, error) {
		got = r
		body, _ = io.ReadAll(r.Body)
		return says(`{"result":true}`)
	})})
	defer o.Close()
	c := agentAt(decision)
	c.Headers, c.Token = []string{"x-tenant", "X-None"}, "agents-token"
	s := newSet(t, nil, "X-Api-Key")
	p := compile(t, s, own(Terms{OPA: c}), true)
	r := request("HEAD", "/api/documents/7?page=1&page=2&access_token=SECRET&Password=SECRET", "X-Tenant", "t1", "X-Tenant", "t2", "Cookie", "a=SECRET", "Authorization", "Bearer SECRET",
		"X-Api-Key", "SECRET", "X-Csrf", "1")
	src := Sources{OPA: o, Resource: func(context.Context) (map[string]any, error) {
		return ParseResource([]byte(`{"owner":"alice","n":9007199254740993}`))
	}}
	if v := p.Ask(t.Context(), s.Subject(alice()), r, src); !v.Allow {
		t.Fatalf("%+v", v)
	}
	want := `{"input":{"request":{"id":"REQUESTID","method":"GET","path":"/api/documents/7","route":"/api/documents/{id}","values":{"id":"7"},"query":{"page":["1","2"]},` +
		`"headers":{"x-tenant":["t1","t2"]},"client_ip":"192.0.2.7"},"user":{"sub":"alice","issuer":"https://id.example.com","provider":"main","kind":"session",` +
		`"roles":["customer","editor","support"],"scopes":["docs.read","docs.write"],"claims":{"address":{"country":"DE"},"admin":true,"big":9007199254740992,"bigs":[1,9007199254740992],` +
		`"groups":["a","b"],"level":3,"nothing":null,"sub":"alice","tenant":"t1"}},"session":{"acr":"urn:mfa","auth_time":"2026-11-23T10:55:00Z","created":"2026-11-23T10:55:00Z"},` +
		`"resource":{"n":9007199254740993,"owner":"alice"},"now":"2026-11-23T11:00:00Z"}}`
	if string(body) != want {
		t.Errorf("told\n%s, want\n%s", body, want)
	}
	if got.Method != "POST" || got.URL.String() != decision || got.Header.Get("Content-Type") != "application/json" || got.Header.Get("Authorization") != "Bearer agents-token" || len(got.Header) != 3 {
		t.Errorf("%s %s %v", got.Method, got.URL, got.Header)
	}
	if strings.Contains(string(body), "SECRET") || strings.Contains(string(body), "SESSIONID") {
		t.Error("a credential is told")
	}
	p = compile(t, s, own(Terms{OPA: agentAt(decision)}), false)
	r.Client, r.Value = netip.Addr{}, nil
	if v := p.Ask(t.Context(), nil, r, src); !v.Allow || strings.Contains(string(body), `"user"`) || strings.Contains(string(body), `"session"`) || strings.Contains(string(body), `"resource"`) {
		t.Errorf("of nobody, told %s", body)
	}
	if v := p.Ask(t.Context(), s.Subject(Identity{Kind: KindAPIKey, Subject: "k"}), r, src); !v.Allow || !strings.Contains(string(body), `"roles":[],"scopes":[],"claims":{}`) || strings.Contains(string(body), `"session":`) {
		t.Errorf("of a key, told %s", body)
	}
}

// A query with two readings is not put to an agent: it would judge one, and the upstream get the other. A header in two spellings is two values.
func TestAgentsAreNotToldHalfOfIt(t *testing.T) {
	told := ""
	o := NewOPAClient(OPADeps{Transport: transport(func(r *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		told = string(body)
		return says(`{"result":true}`)
	})})
	s := newSet(t, nil)
	c := agentAt(decision)
	c.Headers = []string{"X-Tenant"}
	p := compile(t, s, own(Terms{OPA: c}), false)
	for _, query := range []string{"a=1;debug=1", "a=%ff&%ff=1", strings.Repeat("a=1&", 257)} {
		if v := p.Ask(t.Context(), nil, request("GET", "/?"+query), Sources{OPA: o}); v.Allow || v.Reason != ReasonRequest || v.Unavailable || told != "" {
			t.Errorf("%.40s: %+v, told %s", query, v, told)
		}
	}
	r := request("GET", "/", "X-Tenant", "t1")
	r.HTTP.Header["X_tenant"] = []string{"t2"}
	if v := p.Ask(t.Context(), nil, r, Sources{OPA: o}); !v.Allow || !strings.Contains(told, `"x-tenant":["t1","t2"]`) && !strings.Contains(told, `"x-tenant":["t2","t1"]`) {
		t.Errorf("%+v, told %s", v, told)
	}
}

// An answer holds for the same question, for as long as configured: not for another user, another path or another resource, and not beyond.
func TestAnswersAreRememberedForTheSameQuestion(t *testing.T) {
	var asked atomic.Int32
	clock := noon
	var seen []string
	answer := `{"result":true}`
	o := NewOPAClient(OPADeps{
		Now:       func() time.Time { return clock },
		Transport: transport(func(*http.Request) (*http.Response, error) { asked.Add(1); return says(answer) }),
		Observe: func(reason string, _ time.Duration, cached bool) {
			if cached {
				reason += "cached"
			}
			seen = append(seen, reason)
		},
	})
	s := newSet(t, nil)
	c := agentAt(decision)
	p := compile(t, s, own(Terms{OPA: c}), true)
	state := "draft"
	src := Sources{OPA: o, Resource: func(context.Context) (map[string]any, error) { return map[string]any{"state": state}, nil }}
	u, r := s.Subject(alice()), request("GET", "/api/documents/7")
	ask := func(name string, want int32, allow bool) {
		t.Helper()
		before := asked.Load()
		if v := p.Ask(t.Context(), u, r, src); v.Allow != allow || asked.Load()-before != want {
			t.Errorf("%s: asked %d times, %+v", name, asked.Load()-before, v)
		}
	}
	ask("the first time", 1, true)
	r.ID, r.Now = "another request", noon.Add(900*time.Millisecond)
	answer = `{"result":false}`
	clock = noon.Add(999 * time.Millisecond)
	ask("a moment later", 0, true)
	clock = noon.Add(time.Second)
	ask("a second later", 1, false)
	ask("a refusal is remembered too", 0, false)
	state = "published"
	ask("the resource has changed", 1, false)
	id := alice()
	id.Roles = nil
	u = s.Subject(id)
	ask("the user has other roles", 1, false)
	r.HTTP.URL.RawQuery = "x=1"
	ask("another query", 1, false)
	r.Client = netip.MustParseAddr("192.0.2.8")
	ask("another address", 1, false)
	p = compile(t, s, own(Terms{OPA: agentAt(decision + "2")}), true)
	ask("another decision", 1, false)
	c.Cache = 0
	p = compile(t, s, own(Terms{OPA: c}), true)
	ask("without a cache", 1, false)
	ask("without a cache, again", 1, false)
	c.Cache, answer = time.Second, `{`
	p = compile(t, s, own(Terms{OPA: c}), true)
	r.HTTP.URL.RawQuery = "x=2"
	ask("no answer", 1, false)
	answer = `{"result":true}`
	ask("no answer is not remembered", 1, true)
	if got := strings.Join(seen[:4], " "); got != " cached opa_denied opa_deniedcached" {
		t.Errorf("observed %q", got)
	}
}

// Many who ask the same at once are one question; it is put even if the first of them goes away.
func TestTheSameQuestionIsPutOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		gate := make(chan struct{})
		o := NewOPAClient(OPADeps{Transport: transport(func(r *http.Request) (*http.Response, error) {
			asked.Add(1)
			select {
			case <-gate:
				return says(`{"result":true}`)
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})})
		s := newSet(t, nil)
		p := compile(t, s, own(Terms{OPA: agentAt(decision)}), false)
		first, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var allowed atomic.Int32
		ask := func(ctx context.Context) {
			if v := p.Ask(ctx, s.Subject(alice()), request("GET", "/"), Sources{OPA: o}); v.Allow {
				allowed.Add(1)
			}
		}
		wg.Go(func() { ask(first) })
		synctest.Wait()
		for range 20 {
			wg.Go(func() { ask(t.Context()) })
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		close(gate)
		wg.Wait()
		if asked.Load() != 1 || allowed.Load() != 21 {
			t.Errorf("asked %d times, %d of 21 allowed", asked.Load(), allowed.Load())
		}
	})
}

// Law 5: an agent that is slow, away or broken is an outage within its timeout; who waits with others does not wait longer than they can.
func TestAgentsThatDoNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := NewOPAClient(OPADeps{Transport: transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})})
		s := newSet(t, nil)
		c := agentAt(decision)
		c.Timeout = 500 * time.Millisecond
		p := compile(t, s, own(Terms{OPA: c}), false)
		ask := func(ctx context.Context) Verdict {
			return p.Ask(ctx, s.Subject(alice()), request("GET", "/"), Sources{OPA: o})
		}
		begun := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			if v := ask(t.Context()); !v.Unavailable || v.Allow || time.Since(begun) != 500*time.Millisecond || !errors.Is(v.Err, context.DeadlineExceeded) {
				t.Errorf("after %v: %+v", time.Since(begun), v)
			}
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if v := ask(ctx); !v.Unavailable || v.Allow || time.Since(begun) != 100*time.Millisecond {
			t.Errorf("after %v: %+v", time.Since(begun), v)
		}
		wg.Wait()
		if len(o.flights) != 0 {
			t.Error("a flight never lands")
		}
	})
	s := newSet(t, nil)
	p := compile(t, s, own(Terms{OPA: agentAt("http://127.0.0.1:1/v1/data/x")}), false)
	o := NewOPAClient(OPADeps{})
	defer o.Close()
	if v := p.Ask(t.Context(), nil, request("GET", "/"), Sources{OPA: o}); !v.Unavailable || v.Allow || strings.Contains(v.Err.Error(), "/v1/data") {
		t.Errorf("nobody listens: %+v", v)
	}
	if v := p.Ask(t.Context(), nil, request("GET", "/"), Sources{}); !v.Unavailable || v.Allow {
		t.Errorf("nothing to ask with: %+v", v)
	}
}

// A transport that panics leaves nobody waiting.
func TestAQuestionThatPanics(t *testing.T) {
	o := NewOPAClient(OPADeps{Transport: transport(func(*http.Request) (*http.Response, error) { panic("broken") })})
	s := newSet(t, nil)
	p := compile(t, s, own(Terms{OPA: agentAt(decision)}), false)
	for range 2 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("nobody hears of it")
				}
			}()
			p.Ask(t.Context(), nil, request("GET", "/"), Sources{OPA: o})
		}()
	}
	if len(o.flights) != 0 {
		t.Error("the next one waits for ever")
	}
}

// Redirects are not followed over a real connection either, and a proxy of the environment is not used: the question goes where the configuration says, or nowhere.
func TestTheQuestionGoesNowhereElse(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		elsewhere.Add(1)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"result":true}`)
	}))
	defer other.Close()
	agent := httptest.NewServer(http.RedirectHandler(other.URL+"/v1/data/x", http.StatusTemporaryRedirect))
	defer agent.Close()
	s := newSet(t, nil)
	o := NewOPAClient(OPADeps{})
	defer o.Close()
	if o.client.Transport.(*http.Transport).Proxy != nil { // net/http reads the environment once, so that a test cannot rely on it
		t.Error("a proxy of the environment would be asked")
	}
	p := compile(t, s, own(Terms{OPA: agentAt(agent.URL + "/v1/data/x")}), false)
	if v := p.Ask(t.Context(), nil, request("GET", "/"), Sources{OPA: o}); v.Allow || !v.Unavailable || elsewhere.Load() != 0 {
		t.Errorf("%+v, %d elsewhere", v, elsewhere.Load())
	}
}

// Several agents must all allow, and all their decisions can be found again.
func TestSeveralAgents(t *testing.T) {
	o := NewOPAClient(OPADeps{Transport: transport(func(r *http.Request) (*http.Response, error) {
		name := r.URL.Path[len("/v1/data/"):]
		return says(`{"decision_id":"id-` + name + `","result":` + map[bool]string{true: "true", false: "false"}[name != "c"] + `}`)
	})})
	at := func(name string) Terms { return Terms{OPA: agentAt("http://agent.example/v1/data/" + name)} }
	s := newSet(t, map[string]Rule{"second": {Terms: at("b")}, "third": {Terms: at("c")}, "tried": {Terms: at("c"), ReportOnly: true}})
	for _, c := range []struct {
		rules     []string
		want, ids string
	}{
		{[]string{"second"}, "", "id-a,id-b"},
		{[]string{"second", "third"}, "third opa_denied", "id-a,id-b,id-c"},
		{[]string{"tried", "second"}, " | tried opa_denied", "id-a,id-b,id-c"},
	} {
		v := compile(t, s, Allow{Terms: at("a"), Rules: c.rules}, false).Ask(t.Context(), nil, request("GET", "/"), Sources{OPA: o})
		if inWords(v) != c.want || v.DecisionID != c.ids {
			t.Errorf("%v: %q, %q", c.rules, inWords(v), v.DecisionID)
		}
	}
}
