package policy

import (
	"slices"
	"strings"
	"testing"
)

// AUZ-03: a provider's names become ours where the configuration says so, and nowhere else.
func TestEffectiveRoles(t *testing.T) {
	s := newSet(t, nil)
	for name, c := range map[string]struct {
		kind  string
		roles []string
		want  string
	}{
		"none":                                       {KindSession, nil, ""},
		"one that stays as it is":                    {KindSession, []string{"editor"}, "editor"},
		"one that is mapped is no more":              {KindSession, []string{"grp-4711"}, "customer support"},
		"one that becomes two":                       {KindSession, []string{"grp-0815"}, "admin auditor customer support"},
		"one that becomes nothing":                   {KindSession, []string{"retired", "editor"}, "editor"},
		"one that includes others, over two steps":   {KindSession, []string{"admin"}, "admin customer support"},
		"an included one does not include back":      {KindSession, []string{"customer"}, "customer"},
		"the same one twice":                         {KindSession, []string{"support", "grp-4711", "customer"}, "customer support"},
		"a bearer token's are its issuer's":          {KindBearer, []string{"grp-4711"}, "customer support"},
		"an API key's are ours already":              {KindAPIKey, []string{"grp-4711"}, "grp-4711"},
		"they include others too":                    {KindAPIKey, []string{"support"}, "customer support"},
		"letters count":                              {KindSession, []string{"ADMIN", "Grp-4711", "admin "}, "ADMIN Grp-4711 admin "},
		"two names in one are one name":              {KindSession, []string{"admin support", "admin,support"}, "admin support admin,support"},
		"what a mapped name includes is not its own": {KindCertificate, []string{"grp-0815"}, "grp-0815"},
	} {
		got := s.Subject(Identity{Kind: c.kind, Roles: c.roles}).Roles()
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A Subject is shared by requests: what it was made of may change afterwards, and so may what it returns.
func TestSubjectsDoNotChange(t *testing.T) {
	s := newSet(t, nil)
	id := alice()
	u := s.Subject(id)
	p := compile(t, s, Allow{Terms: Terms{Roles: []string{"editor"}, Scopes: []string{"docs.read"}, When: `user.claims.tenant == "t1"`}}, false)
	id.Roles[0], id.Scopes[0], id.Scopes[1], id.Claims["tenant"] = "x", "x", "x", "x"
	u.Roles()[0] = "x"
	if v := p.Decide(u, request("GET", "/")); !v.Allow || slices.Contains(u.Roles(), "x") {
		t.Errorf("%+v, roles %v", v, u.Roles())
	}
}

func TestCyclesAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		inherit map[string][]string
		want    string
	}{
		"itself":        {map[string][]string{"a": {"a"}}, "a → a"},
		"two":           {map[string][]string{"a": {"b"}, "b": {"a"}}, "a → b → a"},
		"three, behind": {map[string][]string{"x": {"a"}, "a": {"b"}, "b": {"c", "y"}, "c": {"a"}}, "a → b → c → a"},
		"a diamond":     {map[string][]string{"a": {"b", "c"}, "b": {"d"}, "c": {"d"}}, ""},
	} {
		var got []string
		Config{TimeZone: "UTC", InheritRoles: c.inherit}.Validate(func(key, problem string) { got = append(got, key+" "+problem) })
		if c.want == "" && len(got) != 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], ": "+c.want+";")) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
