package bff

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/bff/limit"
	"cloakroom/bff/policy"
	"cloakroom/configs"
	"cloakroom/proxy"
)

// elsewhere is an agent, and what knows of resources.
type elsewhere struct {
	*httptest.Server
	decision, resource atomic.Pointer[string] // an empty resource is none
}

func newElsewhere(t testing.TB) *elsewhere {
	e := new(elsewhere)
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		text := *e.resource.Load()
		if r.Method == http.MethodPost {
			text = *e.decision.Load()
		}
		if text == "" {
			w.WriteHeader(http.StatusNotFound)
		}
		io.WriteString(w, text)
	}))
	t.Cleanup(e.Close)
	return e
}

// namedRules are rules that generated routes may name.
func namedRules() map[string]policy.Rule {
	return map[string]policy.Rule{
		"reads":  {Terms: policy.Terms{When: `request.method == "GET"`}},
		"theirs": {Terms: policy.Terms{When: `resource.owner == user.sub`}},
		"tried":  {Terms: policy.Terms{Roles: []string{"emperor"}}, ReportOnly: true},
		"staff":  {Terms: policy.Terms{Roles: []string{"support", "customer"}, Scopes: []string{"orders.read"}}},
	}
}

// restrict adds rules, limits and callers to a route.
func (g *generator) restrict(r *configs.Route) {
	if g.chance(50) {
		r.Callers = []string{"api_key"}
	}
	if g.chance(30) {
		r.Resource = proxy.ResourceConfig{URL: g.elsewhere.URL + "/things", Timeout: 5 * time.Second, MaxBody: 1 << 10}
	}
	a := &r.Allow
	for _, rule := range []string{"reads", "theirs", "tried", "staff"} {
		if g.chance(12) {
			a.Rules = append(a.Rules, rule)
		}
	}
	if g.chance(20) {
		a.Roles = []string{g.one("customer", "support", "emperor")}
	}
	if g.chance(20) {
		a.Scopes = []string{g.one("openid", "orders.read", "orders.write")}
	}
	if g.chance(30) {
		a.When = g.one(`request.query.page == "2"`, `request.headers["x-page"] == "1"`, `request.path.startsWith("/a/")`, `user.kind == "session"`, `!("x-debug" in request.headers)`, `now.hour < 24 && "openid" in user.scopes`)
	}
	if g.chance(15) {
		a.OPA.URL, a.OPA.Cache = g.elsewhere.URL+"/v1/data/x", 0
		a.OPA.Timeout = 5 * time.Second
	}
	if g.chance(8) {
		a.ACR = []string{"urn:mfa"}
	}
	if g.chance(10) {
		a.MaxAuthAge = time.Hour
	}
	given := []string{}
	for _, k := range []struct {
		key   string
		given bool
	}{{"roles", len(a.Roles) > 0}, {"scopes", len(a.Scopes) > 0}, {"when", a.When != ""}, {"opa", a.OPA.URL != ""}, {"acr", len(a.ACR) > 0}, {"max_auth_age", a.MaxAuthAge > 0}} {
		if k.given && g.chance(20) {
			given = append(given, k.key)
		}
	}
	a.ReportOnly = given
	switch g.IntN(5) {
	case 0:
		r.Limit = []limit.Limit{{Rate: "10000/1s", Burst: 10000, Per: "user"}, {Concurrent: 1000, Per: "caller"}}
	case 1:
		r.Limit = []limit.Limit{{Rate: "1/1h", Burst: 1, Per: "route", ReportOnly: true}}
	}
}

// tell decides what others will answer, and tells the explainer too.
func (g *generator) tell(r *Request) {
	decision, resource := `{"result":true}`, `{"owner":"`+g.one("ada", "grace")+`"}`
	if r.OPA = OPAAllows; g.chance(40) {
		r.OPA, decision = OPADenies, `{"result":{"allow":false}}`
	}
	if r.NoResource = g.chance(25); r.NoResource {
		resource = ""
	} else if found, err := ParseResource([]byte(resource)); err == nil {
		r.Resource = found
	}
	g.elsewhere.decision.Store(&decision)
	g.elsewhere.resource.Store(&resource)
}

// claimsOf are those of the ID token that a browser's user signed in with.
func claimsOf(b *browser) map[string]any {
	u, roles := b.user(), []any{}
	for _, r := range u.Roles {
		roles = append(roles, r)
	}
	return map[string]any{"sub": u.Subject, "email": u.Claims["email"], "name": u.Claims["name"], "groups": roles, "auth_time": float64(time.Now().Unix())}
}
