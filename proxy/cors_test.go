package proxy

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// sharing is a route for two partners, one of them on loopback.
func sharing(t *testing.T, change func(*Config)) *Route {
	t.Helper()
	c := conf("/x")
	c.Auth = "none"
	c.CORS = CORSConfig{Origins: []string{"https://partner.example", "https://app.example:8443"}, Methods: []string{"GET", "PUT"}, Headers: []string{"Content-Type", "X-Team"},
		Expose: []string{"X-Total"}, MaxAge: 10 * time.Minute}
	if change != nil {
		change(&c)
	}
	return compile(t, c).Routes()[0]
}

// hostileOrigins are not https://partner.example, however near. CORS-01's list.
var hostileOrigins = [][]string{
	{"https://partner.example.evil.com"}, {"https://evilpartner.example"}, {"http://partner.example"}, {"https://partner.example:8443"}, {"https://app.example"}, {"null"}, {"*"},
	{"https://PARTNER.example"}, {"HTTPS://partner.example"}, {"https://partner.example."}, {"https://partner.example/"}, {"https://partner.example:443"}, {"https://sub.partner.example"},
	{"https://partner.example", "https://partner.example"}, {"https://partner.example", "https://evil.test"}, {"https://evil.test", "https://partner.example"},
	{"https://partner.example, https://evil.test"}, {"https://partner.example https://evil.test"}, {"https://partner.example\x00.evil.test"}, {" https://partner.example"}, {""}, {},
}

func request(method string, headers http.Header) *http.Request {
	r, _ := http.NewRequest(method, "https://app.example.com/x", nil)
	r.Header = headers
	return r
}

// allowed are the Access-Control headers of an answer.
func allowed(h http.Header) (names []string) {
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func variesWithOrigin(h http.Header) bool { return hasToken(h["Vary"], "Origin") }

func TestOnlyTheNamedOriginsMayRead(t *testing.T) { // CORS-01, CORS-02, CORS-04
	rt := sharing(t, nil)
	for _, origin := range []string{"https://partner.example", "https://app.example:8443"} {
		h := http.Header{}
		if rt.Share(h, request("GET", http.Header{"Origin": {origin}})) {
			t.Errorf("%s gets the session without credentials", origin)
		}
		want := http.Header{"Vary": {"Origin"}, "Access-Control-Allow-Origin": {origin}, "Access-Control-Expose-Headers": {"X-Total"}}
		if !equal(h, want) {
			t.Errorf("got  %v\nwant %v", h, want)
		}
	}
	for _, origins := range hostileOrigins {
		h := http.Header{}
		if rt.Share(h, request("GET", http.Header{"Origin": origins})) || allowed(h) != nil || !variesWithOrigin(h) {
			t.Errorf("Origin %q: got %v", origins, h)
		}
	}
}

func equal(a, b http.Header) bool {
	if len(a) != len(b) {
		return false
	}
	for name := range a {
		if !slices.Equal(a[name], b[name]) {
			return false
		}
	}
	return true
}

func TestAPreflightAllowsWhatTheRouteNamesAndNoMore(t *testing.T) { // CORS-01, CORS-02, CORS-06
	rt := sharing(t, nil)
	ask := func(change http.Header) http.Header {
		h := http.Header{"Origin": {"https://partner.example"}, "Access-Control-Request-Method": {"PUT"}, "Access-Control-Request-Headers": {"content-type,x-team"}}
		for name, values := range change {
			h[name] = values
		}
		return h
	}
	got := http.Header{}
	if reason := rt.Preflight(got, request("OPTIONS", ask(nil))); reason != "" {
		t.Fatalf("refused: %s", reason)
	}
	got.Del("Vary")
	if want := (http.Header{"Access-Control-Allow-Origin": {"https://partner.example"}, "Access-Control-Allow-Methods": {"GET, HEAD, PUT"},
		"Access-Control-Allow-Headers": {"content-type, x-team"}, "Access-Control-Max-Age": {"600"}}); !equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	refused := map[string]http.Header{
		"another method":               {"Access-Control-Request-Method": {"DELETE"}},
		"a method in small letters":    {"Access-Control-Request-Method": {"put"}},
		"two methods":                  {"Access-Control-Request-Method": {"PUT", "GET"}},
		"another header":               {"Access-Control-Request-Headers": {"x-team, authorization"}},
		"another header, second line":  {"Access-Control-Request-Headers": {"x-team", "x-csrf"}},
		"any header":                   {"Access-Control-Request-Headers": {"*"}},
		"a network of the user's":      {"Access-Control-Request-Private-Network": {"true"}},
		"the same by its newer name":   {"Access-Control-Request-Local-Network": {"true"}},
		"a private network, whichever": {"Access-Control-Request-Private-Network": {""}},
	}
	for _, origins := range hostileOrigins {
		refused["the origin "+strings.Join(origins, "|")] = http.Header{"Origin": origins}
	}
	for name, change := range refused {
		t.Run(name, func(t *testing.T) {
			h := http.Header{}
			if reason := rt.Preflight(h, request("OPTIONS", ask(change))); reason == "" || allowed(h) != nil || !variesWithOrigin(h) {
				t.Errorf("%q, got %v", reason, h)
			}
		})
	}
	h := http.Header{}
	if reason := compile(t, conf("/x")).Routes()[0].Preflight(h, request("OPTIONS", ask(nil))); reason != "cors_none" || len(h) > 0 {
		t.Errorf("a route without cors: %s %v", reason, h)
	}
}

func TestTheRequestIsJudgedAgain(t *testing.T) { // CORS-04
	rt := sharing(t, func(c *Config) { c.Auth, c.CORS.Credentials = "required", true })
	for _, c := range []struct {
		name, method, origin string
		shared               bool
	}{
		{"as announced", "PUT", "https://partner.example", true},
		{"HEAD where GET is", "HEAD", "https://partner.example", true},
		{"a simple request of another method, which needed no preflight", "POST", "https://partner.example", false},
		{"another origin", "GET", "https://evil.test", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := http.Header{}
			shared := rt.Share(h, request(c.method, http.Header{"Origin": {c.origin}}))
			if shared != c.shared || (h.Get("Access-Control-Allow-Origin") == c.origin) != c.shared || (h.Get("Access-Control-Allow-Credentials") == "true") != c.shared {
				t.Errorf("shared %v, got %v", shared, h)
			}
		})
	}
}

func TestMethodsOfOtherOriginsAreTheRoutes(t *testing.T) {
	for _, c := range []struct{ route, cors, want []string }{
		{nil, nil, []string{"GET", "HEAD", "POST"}},
		{[]string{"GET", "DELETE"}, nil, []string{"DELETE", "GET", "HEAD"}},
		{[]string{"GET", "DELETE"}, []string{"GET"}, []string{"GET", "HEAD"}},
	} {
		if got := (CORSConfig{Methods: c.cors}).methods(c.route); !slices.Equal(got, c.want) {
			t.Errorf("%v %v: got %v, want %v", c.route, c.cors, got, c.want)
		}
	}
}

func TestSharingThatIsRefused(t *testing.T) { // CORS-01, CORS-05
	origin := func(o string) func(*Config) { return func(c *Config) { c.CORS.Origins = []string{o} } }
	for name, c := range map[string]struct {
		change func(*Config)
		key    string
	}{
		"everybody":                             {origin("*"), "cors.origins[0]"},
		"null":                                  {origin("null"), "cors.origins[0]"},
		"all subdomains":                        {origin("https://*.example.com"), "cors.origins[0]"},
		"plain http":                            {origin("http://partner.example"), "cors.origins[0]"},
		"a path":                                {origin("https://partner.example/"), "cors.origins[0]"},
		"capitals":                              {origin("https://Partner.example"), "cors.origins[0]"},
		"a dot at the end":                      {origin("https://partner.example."), "cors.origins[0]"},
		"the scheme's own port":                 {origin("https://partner.example:443"), "cors.origins[0]"},
		"a user":                                {origin("https://u@partner.example"), "cors.origins[0]"},
		"another scheme":                        {origin("ftp://partner.example"), "cors.origins[0]"},
		"a name alone":                          {origin("partner.example"), "cors.origins[0]"},
		"international letters":                 {origin("https://größe.example"), "cors.origins[0]"},
		"one twice":                             {func(c *Config) { c.CORS.Origins = []string{"https://a.example", "https://a.example"} }, "cors.origins[1]"},
		"any header may be sent":                {func(c *Config) { c.CORS.Headers = []string{"*"} }, "cors.headers[0]"},
		"the proof of this origin may be sent":  {func(c *Config) { c.CORS.Headers = []string{"x-csrf"} }, "cors.headers[0]"},
		"what browsers say may be sent":         {func(c *Config) { c.CORS.Headers = []string{"Sec-Fetch-Site"} }, "cors.headers[0]"},
		"all headers may be read":               {func(c *Config) { c.CORS.Expose = []string{"*"} }, "cors.expose[0]"},
		"cookies may be read":                   {func(c *Config) { c.CORS.Expose = []string{"Set-Cookie"} }, "cors.expose[0]"},
		"a method that the route does not take": {func(c *Config) { c.Methods, c.CORS.Methods = []string{"GET"}, []string{"POST"} }, "cors.methods[0]"},
		"a method in small letters":             {func(c *Config) { c.CORS.Methods = []string{"get"} }, "cors.methods[0]"},
		"a session that is not read":            {func(c *Config) { c.CORS.Credentials = true }, "cors.credentials"},
		"pages":                                 {func(c *Config) { c.Auth, c.CrossSiteNavigation = "optional", true }, "cors.origins"},
		"remembered for ever":                   {func(c *Config) { c.CORS.MaxAge = 48 * time.Hour }, "cors.max_age"},
		"credentials for nobody":                {func(c *Config) { c.CORS = CORSConfig{Credentials: true} }, "cors.credentials"},
	} {
		t.Run(name, func(t *testing.T) {
			conf := conf("/x")
			conf.Auth, conf.CORS = "none", CORSConfig{Origins: []string{"https://partner.example"}}
			if c.change(&conf); problems(conf)[c.key] == "" {
				t.Errorf("it was taken: %v", problems(conf))
			}
		})
	}
	for _, fine := range []string{"https://partner.example", "https://a.b.partner.example:8443", "http://localhost:5173", "http://127.0.0.1:3000", "http://[::1]:3000", "https://xn--gre-6ka8l.example", "https://192.0.2.1"} {
		if problem := badOrigin(fine); problem != "" {
			t.Errorf("%s %s", fine, problem)
		}
	}
}

// An upstream's own idea of who may read is not asked.
func TestAnUpstreamSharesNothing(t *testing.T) { // HDR-09
	up := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{"Origin", "Credentials", "Methods", "Private-Network"} {
			w.Header().Set("Access-Control-Allow-"+name, "*")
		}
	})
	res, _ := get(t, newGateway(t, up, nil).URL+"/x", "Origin", "https://evil.test")
	if names := allowed(res.Header); names != nil {
		t.Errorf("got %v", names)
	}
}
