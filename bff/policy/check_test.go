package policy

import (
	"strings"
	"testing"
	"time"
)

// AUZ-01: a policy with a mistake does not start, and the message says where it is.
func TestMistakesInPolicies(t *testing.T) {
	opa := func(url string) OPAConfig { return OPAConfig{URL: url, Timeout: time.Second, Cache: time.Second} }
	good := "http://localhost:8181/v1/data/x/allow"
	headers := opa(good)
	headers.Headers = []string{"X-Tenant", "authorization", "x-api-key", "a b"}
	slow, stale, sloppy := opa(good), opa(good), opa(good)
	slow.Timeout, stale.Cache, sloppy.Token = time.Minute, time.Hour, "two words"
	for name, c := range map[string]struct {
		allow Allow
		want  string
	}{
		"an unknown rule":               {Allow{Rules: []string{"admins", "none"}}, `rules[1]: "none" is no rule; there are admins, mfa, of_the_resource`},
		"a rule twice":                  {Allow{Rules: []string{"admins", "admins"}}, `rules[1]: rule "admins" is there twice`},
		"an empty role":                 {own(Terms{Roles: []string{""}}), `roles[0]: is empty`},
		"a role with a space":           {own(Terms{Roles: []string{"admin "}}), `roles[0]: "admin " begins or ends`},
		"two scopes in one":             {own(Terms{Scopes: []string{"a b"}}), `scopes[0]: "a b" is no scope`},
		"two acr in one":                {own(Terms{ACR: []string{"a b"}}), `acr[0]: "a b" is no acr`},
		"an age that nobody has":        {own(Terms{MaxAuthAge: time.Second}), `max_auth_age: 1s is not between 1m and 720h`},
		"report-only of what is not":    {Allow{Terms: Terms{Roles: []string{"a"}}, ReportOnly: []string{"roles", "opa"}}, `report_only[1]: "opa" is neither`},
		"report-only of another rule":   {Allow{ReportOnly: []string{"admins"}}, `report_only[0]: "admins" is neither`},
		"a resource that is not there":  {own(Terms{When: `resource.owner == user.sub`}), `when: asks about the resource, but the route does not`},
		"the same in a rule":            {Allow{Rules: []string{"of_the_resource"}}, `rules[0]: rules.of_the_resource.when: asks about the resource`},
		"the same with a dot before":    {own(Terms{When: `.resource.owner == user.sub`}), `when: asks about the resource`},
		"acr that contradict":           {Allow{Terms: Terms{ACR: []string{"urn:pin"}}, Rules: []string{"mfa"}}, `acr: no sign-in can be all`},
		"a header with a credential":    {own(Terms{When: `request.headers["x-api-key"] == "x"`}), `when: header x-api-key is for credentials`},
		"an agent that is told one":     {own(Terms{OPA: headers}), `opa.headers[1]: Authorization is for credentials`},
		"an agent that is told a key":   {own(Terms{OPA: headers}), `opa.headers[2]: X-Api-Key is for credentials`},
		"no header":                     {own(Terms{OPA: headers}), `opa.headers[3]: "a b" is no name`},
		"no URL":                        {own(Terms{OPA: opa("localhost:8181")}), `opa.url: is no URL`},
		"a URL of something else":       {own(Terms{OPA: opa("http://localhost:8181/v0/data/x")}), `opa.url: is not below /v1/data/`},
		"all decisions":                 {own(Terms{OPA: opa("http://localhost:8181/v1/data/")}), `opa.url: is not below /v1/data/`},
		"a password in the URL":         {own(Terms{OPA: opa("http://u:pw@localhost:8181/v1/data/x")}), `opa.url: has a user name or password`},
		"a query in the URL":            {own(Terms{OPA: opa(good + "?explain=full")}), `opa.url: has a query`},
		"an agent that may take long":   {own(Terms{OPA: slow}), `opa.timeout: 1m0s is not between`},
		"an answer for ever":            {own(Terms{OPA: stale}), `opa.cache: 1h0m0s is more than`},
		"a token of two words":          {own(Terms{OPA: sloppy}), `opa.token: has a line break`},
		"an agent without a place":      {own(Terms{OPA: OPAConfig{Headers: []string{"X-A"}}}), `opa.url: is missing`},
		"an expression with a mistake":  {own(Terms{When: "1 == "}), `when: Syntax error`},
		"an expression that is a space": {own(Terms{When: " "}), `when: Syntax error`},
	} {
		s := newSet(t, map[string]Rule{
			"admins": {Terms: Terms{Roles: []string{"admin"}}}, "mfa": {Terms: Terms{ACR: []string{"urn:mfa"}}}, "of_the_resource": {Terms: Terms{When: `resource.owner == user.sub`}},
		}, "X-API-Key")
		_, err := s.Compile(c.allow, false)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "pw") || strings.Contains(err.Error(), "two words") {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func TestMistakesInSets(t *testing.T) {
	roles := Terms{Roles: []string{"a"}}
	for name, c := range map[string]struct {
		cfg   Config
		rules map[string]Rule
		want  string
	}{
		"no time zone":                  {Config{TimeZone: "Mars/X"}, nil, `policy.time_zone: "Mars/X" is no time zone`},
		"the machine's time zone":       {Config{TimeZone: "Local"}, nil, `policy.time_zone: "Local" is no time zone`},
		"a circle":                      {Config{InheritRoles: map[string][]string{"a": {"a"}}}, nil, `policy.inherit_roles.a: goes round in a circle`},
		"an empty role":                 {Config{MapRoles: map[string][]string{"a": {"b", ""}}}, nil, `policy.map_roles.a[1]: is empty`},
		"an empty name":                 {Config{MapRoles: map[string][]string{"": {"b"}}}, nil, `is empty`},
		"a rule that asks for nothing":  {Config{}, map[string]Rule{"x": {}}, `rules.x.roles: is missing, and so is all else`},
		"a rule with a mistake":         {Config{}, map[string]Rule{"x": {Terms: Terms{When: "user.subb == ''"}}}, `rules.x.when: undeclared reference to 'user.subb'`},
		"a rule's agent with a mistake": {Config{}, map[string]Rule{"x": {Terms: Terms{OPA: OPAConfig{URL: "x", Timeout: time.Second}}}}, `rules.x.opa.url: is no URL`},
		"no name":                       {Config{}, map[string]Rule{"No Name": {Terms: roles}}, `rules.No Name: is no name`},
		"a name that is taken":          {Config{}, map[string]Rule{"roles": {Terms: roles}}, `rules.roles: is what a route's own rule is called`},
	} {
		if _, err := NewSet(c.cfg, c.rules); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if _, err := NewSet(Config{}, nil); err != nil {
		t.Errorf("the zero Config: %v", err)
	}
}

// What an expression asks for can be held against what there is.
func TestUsage(t *testing.T) {
	s := newSet(t, map[string]Rule{"r": {Terms: Terms{When: `user.claims.tenant == request.values["tenant"] && has(user.claims.x) && "y" in user.claims`}}})
	p := compile(t, s, Allow{Terms: Terms{When: `request.values.id == "7" && resource.a == user.claims["https://a/b"]`}, Rules: []string{"r"}}, true)
	if got := strings.Join(p.PathValues(), " "); got != "id tenant" {
		t.Errorf("values %s", got)
	}
	if got := strings.Join(p.Claims(), " "); got != "https://a/b tenant x y" {
		t.Errorf("claims %s", got)
	}
}
