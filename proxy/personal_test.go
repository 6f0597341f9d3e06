package proxy

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"cloakroom/configs/secret"
)

var ada = User{Issuer: "https://id.example.com", Subject: "248289761001", Roles: []string{"support", "billing"}, Claims: map[string]any{
	"sub": "248289761001", "name": "Ada Lovelace", "email": "ada@example.com", "level": json.Number("7"), "ratio": 0.25, "vip": true,
	"address": map[string]any{"country": "GB"}, "https://app.example.com/team": "red", "a.b": map[string]any{"c": "dotted"}, "tags": []any{"x", "y"}, "empty": "", "none": nil,
}}

func TestWhatAHeaderSaysAboutAUser(t *testing.T) { // HDR-11
	with := func(name string, value any) User {
		u := ada
		u.Claims = maps.Clone(ada.Claims)
		u.Claims[name] = value
		return u
	}
	for name, c := range map[string]struct {
		text        string
		user        User
		want, state string
	}{
		"the subject":         {"${user.sub}", ada, "248289761001", ""},
		"the issuer":          {"${user.iss}", ada, "https://id.example.com", ""},
		"the name":            {"${user.name}", ada, "Ada Lovelace", ""},
		"the address":         {"${user.email}", ada, "ada@example.com", ""},
		"roles, joined":       {"${user.roles}", ada, "support, billing", ""},
		"a number as it came": {"${user.claims.level}", ada, "7", ""},
		"a fraction":          {"${user.claims.ratio}", ada, "0.25", ""},
		"the largest number that is none other's":   {"${user.claims.level}", with("level", 9007199254740991.0), "9007199254740991", ""},
		"a number that may have been another":       {"${user.claims.level}", with("level", 9007199254740992.0), "", "unsendable"},
		"a huge negative number":                    {"${user.claims.level}", with("level", -1e18), "", "unsendable"},
		"a truth":                                   {"${user.claims.vip}", ada, "true", ""},
		"a claim inside of another":                 {"${user.claims.address.country}", ada, "GB", ""},
		"a claim whose name has dots":               {"${user.claims.https://app.example.com/team}", ada, "red", ""},
		"below a claim whose name has dots":         {"${user.claims.a.b.c}", ada, "dotted", ""},
		"a list of texts":                           {"${user.claims.tags}", ada, "x, y", ""},
		"fixed text around":                         {"user=${user.sub};r=${user.roles}", ada, "user=248289761001;r=support, billing", ""},
		"a literal":                                 {"$${user.sub} costs $5", ada, "${user.sub} costs $5", ""},
		"fixed text alone, for nobody too":          {"acme", User{}, "acme", ""},
		"a claim that is not there":                 {"${user.claims.team}", ada, "", "missing"},
		"below a claim that is a text":              {"${user.claims.name.first}", ada, "", "missing"},
		"an empty claim":                            {"${user.claims.empty}", ada, "", "missing"},
		"a claim that is null":                      {"${user.claims.none}", ada, "", "missing"},
		"no roles":                                  {"${user.roles}", User{Subject: "s"}, "", "missing"},
		"nobody":                                    {"${user.sub}", User{}, "", "missing"},
		"one part of two is missing":                {"${user.sub}/${user.claims.team}", ada, "", "missing"},
		"an object has no one form":                 {"${user.claims.address}", ada, "", "unsendable"},
		"a list of other things":                    {"${user.claims.tags}", with("tags", []any{"x", 1.0}), "", "unsendable"},
		"an empty text in a list":                   {"${user.claims.tags}", with("tags", []any{"x", ""}), "", "unsendable"},
		"a line break":                              {"${user.name}", with("name", "Ada\r\nX-Role: admin"), "", "unsendable"},
		"a bare line feed":                          {"${user.name}", with("name", "Ada\n"), "", "unsendable"},
		"a zero byte":                               {"${user.name}", with("name", "Ada\x00"), "", "unsendable"},
		"a control character of ISO 8859":           {"${user.name}", with("name", "Ada\u0085X-Role: admin"), "", "unsendable"},
		"bytes that are no text":                    {"${user.name}", with("name", "Ada\xff"), "", "unsendable"},
		"a line break in a role":                    {"${user.roles}", User{Subject: "s", Roles: []string{"a\nb"}}, "", "unsendable"},
		"longer than servers take":                  {"${user.name}", with("name", strings.Repeat("a", 5000)), "", "unsendable"},
		"letters beyond ASCII, encoded":             {"${user.name}", with("name", "Jürgen Łoś"), "J%C3%BCrgen %C5%81o%C5%9B", ""},
		"what already looks encoded is told apart":  {"${user.name}", with("name", "J%C3%BCrgen"), "J%25C3%25BCrgen", ""},
		"blanks at the ends, which would get lost":  {"${user.name}", with("name", " Ada "), "%20Ada%20", ""},
		"no role by a comma in the name of another": {"${user.roles}", User{Subject: "s", Roles: []string{"x, admin"}}, "x%2C admin", ""},
	} {
		t.Run(name, func(t *testing.T) {
			tmpl, problem := readTemplate(c.text)
			if problem != "" {
				t.Fatal(problem)
			}
			if got, state := tmpl.fill(&c.user); got != c.want || state != c.state {
				t.Errorf("%q: got %q %q, want %q %q", c.text, got, state, c.want, c.state)
			}
		})
	}
}

// What comes out is one line of visible ASCII from which the claim can be read again, in one way.
func FuzzHeaderOfAClaim(f *testing.F) {
	for _, s := range []string{"Ada", "J\u00fcrgen", "100%", " a ", "a\r\nb: c", "\x7f", "a, b", "\u2028", "\u202e"} {
		f.Add(s, s)
	}
	tmpl, _ := readTemplate("${user.name}|${user.roles}")
	f.Fuzz(func(t *testing.T, name, role string) {
		u := User{Subject: "s", Roles: []string{role, "last"}, Claims: map[string]any{"name": name}}
		got, state := tmpl.fill(&u)
		if state != "" {
			return
		}
		for i := range len(got) {
			if got[i] < ' ' || got[i] > '~' {
				t.Fatalf("%q has byte %#x", got, got[i])
			}
		}
		cut := strings.LastIndex(got, "|")
		if back, err := url.PathUnescape(got[:cut]); strings.Count(got, "|") == 1 && (err != nil || back != name) {
			t.Fatalf("%q came back as %q (%v)", name, back, err)
		}
		if strings.Contains(role, "|") {
			return
		}
		roles := strings.Split(got[cut+1:], ", ")
		if back, err := url.PathUnescape(roles[0]); len(roles) != 2 || err != nil || back != role {
			t.Fatalf("role %q came back as %q", role, roles)
		}
	})
}

func TestTemplatesThatCannotBeMeant(t *testing.T) {
	for _, text := range []string{"", "${user.password}", "${user.claims.}", "${user.sub", "${session.id}", "${user.SUB}", "line\nbreak", "t\tab", "größe", " ahead", "behind ", "${user.claims.a b}", "${}"} {
		if _, problem := readTemplate(text); problem == "" {
			t.Errorf("%q was taken", text)
		}
	}
}

// route with every kind of header of its own.
func telling(c *Config, caller *Caller) {
	c.Headers = HeadersConfig{
		Set:     map[string]string{"X-User-ID": "${user.sub}", "X-Tenant": "acme", "X-Forwarded-User": "${user.email}", "x-team": "${user.claims.team}"},
		Secrets: map[string]secret.String{"X-Api-Key": "q8vN2mQ5xR7tY1z0"}, Remove: []string{"X-Debug", "X-Trace-*"},
		Assertion: AssertionConfig{Audience: "orders"},
	}
	caller.User, caller.Assertion = ada, "signed.by.us"
}

// PRX-40: of a name that the route sets the client has no say, in no spelling, whether there is a value or not.
func TestARoutesOwnHeadersAreItsOwn(t *testing.T) {
	up := newEcho(t)
	forged := ""
	for _, name := range []string{"X-User-ID", "X-Tenant", "X-Forwarded-User", "X-Team", "X-Api-Key", "X-Debug", "X-Trace-Id", "X-Identity"} {
		for _, spelt := range []string{name, strings.ToLower(name), strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "-", ".")} {
			forged += spelt + ": forged\r\n"
		}
	}
	forged += "Connection: close, X-User-ID, X-Tenant, X-Api-Key, X-Identity\r\nX-Debugger: stays\r\n"
	for name, c := range map[string]struct {
		change func(*Config, *Caller)
		want   http.Header
	}{
		"with a user": {telling, http.Header{"X-User-Id": {"248289761001"}, "X-Tenant": {"acme"}, "X-Forwarded-User": {"ada@example.com"}, "X-Api-Key": {"q8vN2mQ5xR7tY1z0"},
			"X-Identity": {"signed.by.us"}, "X-Debugger": {"stays"}}},
		"with nobody": {func(c *Config, caller *Caller) {
			telling(c, caller)
			c.Auth, caller.User, caller.Assertion, caller.Bearer = "optional", User{}, "", ""
		}, http.Header{"X-Tenant": {"acme"}, "X-Api-Key": {"q8vN2mQ5xR7tY1z0"}, "X-Debugger": {"stays"}}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, up.URL, c.change)
			if answer, _ := raw(t, g.URL, "GET /x HTTP/1.1\r\nHost: app\r\n"+forged+"\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 200") {
				t.Fatalf("got %q", answer)
			}
			got := up.request().Header
			for name, values := range got {
				if slices.Contains(values, "forged") {
					t.Errorf("upstream got %s: %q", name, values)
				}
			}
			for _, name := range []string{"X-User-Id", "X-Tenant", "X-Forwarded-User", "X-Team", "X-Api-Key", "X-Debug", "X-Trace-Id", "X-Identity", "X-Debugger"} {
				if !slices.Equal(got[name], c.want[name]) {
					t.Errorf("%s: got %q, want %q", name, got[name], c.want[name])
				}
			}
			if got.Get("X-Forwarded-Host") != "app.example.com" || got.Get("X-Request-Id") != "req-1" {
				t.Errorf("what Cloakroom says itself: %v", got)
			}
		})
	}
}

func TestTheOtherSideOfASocketIsToldToo(t *testing.T) {
	heard := make(chan http.Header, 1)
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) { heard <- r.Header; w.WriteHeader(http.StatusForbidden) })
	g := newGateway(t, up, func(c *Config, caller *Caller) { telling(c, caller); c.Headers.Remove = []string{"Sec-*"} })
	raw(t, g.URL, "GET /x HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nSec-Fetch-Mode: websocket\r\n\r\n")
	if h := <-heard; h.Get("X-User-Id") != ada.Subject || h.Get("Sec-Websocket-Key") == "" || h.Get("Sec-Fetch-Mode") != "" {
		t.Errorf("got %v", h)
	}
}

func TestWhatIsRequiredIsThereOrNothingGoes(t *testing.T) {
	for name, c := range map[string]struct {
		claims map[string]any
		passes bool
	}{
		"there":        {map[string]any{"team": "red"}, true},
		"missing":      {map[string]any{}, false},
		"unsendable":   {map[string]any{"team": "red\n"}, false},
		"not required": {map[string]any{"team": "red", "name": "A\nB"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			up, seen := newEcho(t), map[string]int{}
			g := newGatewayWith(t, Upstream{URL: up.URL}, Deps{ObserveHeader: func(_ *Route, state string) { seen[state]++ }}, func(conf *Config, caller *Caller) {
				conf.Headers = HeadersConfig{Set: map[string]string{"X-Team": "${user.claims.team}", "X-Name": "${user.name}"}, Required: []string{"x-team"}}
				caller.User = User{Subject: "ada", Claims: c.claims}
			})
			res, _ := get(t, g.URL+"/x")
			if passed := up.requests() == 1 && res.StatusCode == 200; passed != c.passes {
				t.Errorf("%d, %d requests", res.StatusCode, up.requests())
			}
			if !c.passes && (!errors.Is(g.lastError(), ErrIncomplete) || seen[name] == 0) {
				t.Errorf("got %v, counted %v", g.lastError(), seen)
			}
		})
	}
}

// Law 1: what proves to the upstream who asks does not come back by its answer's headers.
func TestCredentialsDoNotComeBack(t *testing.T) {
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		for i, name := range []string{"Authorization", "X-Identity", "X-Api-Key"} {
			w.Header().Set("Echo-"+string(rune('A'+i)), "was "+r.Header.Get(name)+" wasn't it")
		}
		w.Header().Set("Echo-Tenant", r.Header.Get("X-Tenant"))
	})
	g := newGateway(t, up, telling)
	res, _ := get(t, g.URL+"/x")
	for name := range res.Header {
		if strings.HasPrefix(name, "Echo-") && name != "Echo-Tenant" {
			t.Errorf("the client got %s: %q", name, res.Header[name])
		}
	}
	if res.Header.Get("Echo-Tenant") != "acme" {
		t.Error("what is no credential was taken out")
	}
}

func TestExplanationsShowNoCredential(t *testing.T) {
	g := newGateway(t, newEcho(t).URL, telling)
	rt := g.table.Routes()[0]
	want := []Header{{Name: "X-Forwarded-User", Value: "ada@example.com"}, {Name: "X-Tenant", Value: "acme"}, {Name: "X-User-Id", Value: "248289761001"},
		{Name: "X-Team", State: "missing"}, {Name: "X-Api-Key", Value: "[secret]"}, {Name: "X-Identity", Value: "[signed assertion for orders]"}}
	if got := rt.HeadersFor(ada); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if got := rt.HeadersFor(User{}); got[len(got)-1].State != "missing" || !rt.RemovesHeader("x-user-id") || rt.RemovesHeader("Accept") {
		t.Errorf("for nobody: %v", got)
	}
}

// problems are what Validate says, by key.
func problems(c Config) map[string]string {
	got := map[string]string{}
	c.Validate(func(key, problem string) { got[key] = problem })
	return got
}

func TestHeadersThatNoRouteMaySet(t *testing.T) {
	for _, name := range strings.Fields(`Authorization authorization Cookie Host Connection Keep-Alive TE Trailer Transfer-Encoding Upgrade Proxy-Authorization Forwarded X-Forwarded-For X-Forwarded-Host
		X-Forwarded-Proto X-Request-Id Via Content-Length Content-Type Content-Encoding Expect Origin Sec-Fetch-Site If-None-Match Range X-HTTP-Method-Override X-Original-URL X_User_Id X.User X-User- -X
		Accept-Encoding DPoP X-CSRF Access-Control-Request-Method Zürich`) {
		for kind, h := range map[string]HeadersConfig{
			"set." + name:      {Set: map[string]string{name: "x"}},
			"secrets." + name:  {Secrets: map[string]secret.String{name: "q8vN2mQ5xR7tY1z0"}},
			"assertion.header": {Assertion: AssertionConfig{Audience: "orders", Header: name}},
		} {
			c := conf("/")
			c.Headers = h
			if problems(c)["headers."+kind] == "" {
				t.Errorf("headers.%s (%s) was taken", kind, name)
			}
		}
	}
}

func TestHeadersThatMakeNoSense(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		key    string
	}{
		"the same name twice": {func(c *Config) { c.Headers.Set = map[string]string{"X-User-ID": "a", "x-user-id": "b"} }, "headers.set.x-user-id"},
		"set and secret": {func(c *Config) {
			c.Headers.Set, c.Headers.Secrets = map[string]string{"X-A": "a"}, map[string]secret.String{"X-A": "q8vN2mQ5xR7tY1z0"}
		}, "headers.secrets.X-A"},
		"a secret that is none":      {func(c *Config) { c.Headers.Secrets = map[string]secret.String{"X-A": "1"} }, "headers.secrets.X-A"},
		"a secret of two lines":      {func(c *Config) { c.Headers.Secrets = map[string]secret.String{"X-A": "q8vN2mQ5\nxR7tY1z0"} }, "headers.secrets.X-A"},
		"a user where there is none": {func(c *Config) { c.Auth, c.Headers.Set = "none", map[string]string{"X-A": "${user.sub}"} }, "headers.set.X-A"},
		"required and not set":       {func(c *Config) { c.Headers.Required = []string{"X-A"} }, "headers.required[0]"},
		"required of anonymous users": {func(c *Config) {
			c.Auth, c.Headers.Set, c.Headers.Required = "optional", map[string]string{"X-A": "${user.sub}"}, []string{"X-A"}
		}, "headers.required[0]"},
		"all headers removed":                  {func(c *Config) { c.Headers.Remove = []string{"*"} }, "headers.remove[0]"},
		"the body's description removed":       {func(c *Config) { c.Headers.Remove = []string{"content-*"} }, "headers.remove[0]"},
		"the host removed":                     {func(c *Config) { c.Headers.Remove = []string{"Host"} }, "headers.remove[0]"},
		"a star in the middle":                 {func(c *Config) { c.Headers.Remove = []string{"X-*-Y"} }, "headers.remove[0]"},
		"an assertion about nobody":            {func(c *Config) { c.Auth, c.Headers.Assertion.Audience = "none", "orders" }, "headers.assertion.audience"},
		"claims without an assertion":          {func(c *Config) { c.Headers.Assertion.Claims = []string{"email"} }, "headers.assertion.audience"},
		"a claim that the protocol has":        {func(c *Config) { c.Headers.Assertion = AssertionConfig{Audience: "o", Claims: []string{"exp"}} }, "headers.assertion.claims[0]"},
		"an assertion that lives for too long": {func(c *Config) { c.Headers.Assertion = AssertionConfig{Audience: "o", TTL: 1e12} }, "headers.assertion.ttl"},
	} {
		t.Run(name, func(t *testing.T) {
			conf := conf("/")
			if c.change(&conf); problems(conf)[c.key] == "" {
				t.Errorf("it was taken: %v", problems(conf))
			}
		})
	}
}
