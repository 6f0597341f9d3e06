package policy

import (
	"slices"
	"testing"
	"time"
)

func own(t Terms) Allow { return Allow{Terms: t} }

// AUZ-01..03: what a route asks for, and who gets through.
func TestDecide(t *testing.T) {
	mfa := Terms{ACR: []string{"urn:mfa"}}
	for name, c := range map[string]struct {
		allow  Allow
		change func(*Identity)
		want   string // "rule reason"; empty: passes
	}{
		"nothing asked for":                        {Allow{}, nil, ""},
		"a role":                                   {own(Terms{Roles: []string{"admin", "editor"}}), nil, ""},
		"a role that is mapped and included":       {own(Terms{Roles: []string{"customer"}}), nil, ""},
		"none of the roles":                        {own(Terms{Roles: []string{"admin", "auditor"}}), nil, "roles role_missing"},
		"a role in other letters":                  {own(Terms{Roles: []string{"Editor"}}), nil, "roles role_missing"},
		"a part of a role":                         {own(Terms{Roles: []string{"edit"}}), nil, "roles role_missing"},
		"no roles at all":                          {own(Terms{Roles: []string{"editor"}}), func(i *Identity) { i.Roles = nil }, "roles role_missing"},
		"all scopes":                               {own(Terms{Scopes: []string{"docs.read", "docs.write"}}), nil, ""},
		"one scope of two":                         {own(Terms{Scopes: []string{"docs.read", "docs.delete"}}), nil, "scopes scope_missing"},
		"scopes as one string":                     {own(Terms{Scopes: []string{"docs.read"}}), func(i *Identity) { i.Scopes = []string{"docs.read docs.write"} }, "scopes scope_missing"},
		"roles before scopes":                      {own(Terms{Roles: []string{"x"}, Scopes: []string{"y"}}), nil, "roles role_missing"},
		"an expression after scopes":               {own(Terms{Scopes: []string{"y"}, When: "1 == 2"}), nil, "scopes scope_missing"},
		"the sign-in wanted":                       {own(mfa), nil, ""},
		"another sign-in":                          {own(Terms{ACR: []string{"urn:other", "urn:hardware"}}), nil, "acr acr_insufficient"},
		"one of several":                           {own(Terms{ACR: []string{"urn:hardware", "urn:mfa"}}), nil, ""},
		"a sign-in that nobody described":          {own(mfa), func(i *Identity) { i.ACR = "" }, "acr acr_insufficient"},
		"a recent sign-in":                         {own(Terms{MaxAuthAge: 15 * time.Minute}), nil, ""},
		"one of exactly that age":                  {own(Terms{MaxAuthAge: 5 * time.Minute}), nil, ""},
		"one that is too old":                      {own(Terms{MaxAuthAge: 4 * time.Minute}), nil, "max_auth_age auth_too_old"},
		"one of which nobody knows when":           {own(Terms{MaxAuthAge: 15 * time.Minute}), func(i *Identity) { i.AuthTime = time.Time{} }, "max_auth_age auth_too_old"},
		"one by a clock that is a little ahead":    {own(Terms{MaxAuthAge: time.Minute}), func(i *Identity) { i.AuthTime = noon.Add(time.Minute) }, ""},
		"one in the future":                        {own(Terms{MaxAuthAge: 15 * time.Minute}), func(i *Identity) { i.AuthTime = noon.Add(time.Hour) }, "max_auth_age auth_too_old"},
		"a named rule":                             {Allow{Rules: []string{"business_hours"}}, nil, ""},
		"a named rule that refuses":                {Allow{Rules: []string{"business_hours", "admins"}}, nil, "admins role_missing"},
		"the same for a scope of its":              {Allow{Rules: []string{"writers"}}, func(i *Identity) { i.Scopes = nil }, "writers scope_missing"},
		"report-only: roles":                       {Allow{Terms: Terms{Roles: []string{"x"}}, ReportOnly: []string{"roles"}}, nil, " | roles role_missing"},
		"report-only: one of two":                  {Allow{Terms: Terms{Roles: []string{"x"}, When: "1 == 2"}, ReportOnly: []string{"roles"}}, nil, "when when_false"},
		"report-only: a named rule":                {Allow{Rules: []string{"admins"}, ReportOnly: []string{"admins"}}, nil, " | admins role_missing"},
		"report-only by itself":                    {Allow{Rules: []string{"tried_out"}}, nil, " | tried_out role_missing | tried_out when_error"},
		"report-only: acr":                         {Allow{Terms: Terms{ACR: []string{"urn:other"}}, ReportOnly: []string{"acr"}}, nil, " | acr acr_insufficient"},
		"report-only: what passes is not reported": {Allow{Terms: Terms{Roles: []string{"editor"}}, ReportOnly: []string{"roles"}}, nil, ""},
		"what refuses comes before what reports":   {Allow{Terms: Terms{Roles: []string{"x"}, MaxAuthAge: time.Minute}, ReportOnly: []string{"roles"}}, nil, "max_auth_age auth_too_old"},
	} {
		s := newSet(t, map[string]Rule{
			"business_hours": {Terms: Terms{When: `now.weekday in [1,2,3,4,5] && now.hour >= 8 && now.hour < 18`}},
			"admins":         {Terms: Terms{Roles: []string{"admin"}}},
			"writers":        {Terms: Terms{Scopes: []string{"docs.write"}}},
			"tried_out":      {Terms: Terms{Roles: []string{"x"}, When: `user.claims.none == "x"`}, ReportOnly: true},
		})
		id := alice()
		if c.change != nil {
			c.change(&id)
		}
		v := compile(t, s, c.allow, false).Decide(s.Subject(id), request("GET", "/api/documents/7"))
		if got := inWords(v); got != c.want || v.Unavailable {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// inWords is "rule reason", and the same of each report.
func inWords(v Verdict) string {
	out := ""
	if !v.Allow {
		out = v.Rule + " " + v.Reason
	}
	for _, r := range v.Reports {
		out += " | " + r.Rule + " " + r.Reason
	}
	return out
}

// AUZ-01: what is not there refuses.
func TestTheZeroValueRefuses(t *testing.T) {
	var p *Policy
	if v := p.Decide(nil, request("GET", "/")); v.Allow || v.Reason != ReasonNoPolicy {
		t.Errorf("no policy: %+v", v)
	}
	if v := p.Ask(t.Context(), nil, request("GET", "/"), Sources{}); v.Allow || v.Reason != ReasonNoPolicy {
		t.Errorf("no policy: %+v", v)
	}
	if (Verdict{}).Allow || p.Asks() || p.WantsResource() || p.StepUp() != nil {
		t.Error("a zero value lets pass, or asks")
	}
	s := newSet(t, nil)
	if v := compile(t, s, own(Terms{Roles: []string{"a"}}), false).Decide(s.Subject(alice()), nil); v.Allow {
		t.Errorf("no request: %+v", v)
	}
}

// OAX-17: a refusal that another sign-in would lift says which, and only to those who can sign in.
func TestStepUp(t *testing.T) {
	rules := map[string]Rule{
		"strong": {Terms: Terms{ACR: []string{"urn:hardware", "urn:mfa"}}},
		"fresh":  {Terms: Terms{MaxAuthAge: 2 * time.Minute}},
		"tried":  {Terms: Terms{ACR: []string{"urn:dna"}, MaxAuthAge: time.Minute}, ReportOnly: true},
	}
	s := newSet(t, rules)
	p := compile(t, s, Allow{Terms: Terms{ACR: []string{"urn:pin", "urn:mfa", "urn:hardware"}, MaxAuthAge: 15 * time.Minute}, Rules: []string{"strong", "fresh", "tried"}}, false)
	want := "acr_values=urn%3Amfa+urn%3Ahardware&max_age=120"
	if got := p.StepUp().Query().Encode(); got != want {
		t.Errorf("asks for %s, want %s", got, want)
	}
	for name, c := range map[string]struct {
		change func(*Identity)
		rule   string
		helps  bool
	}{
		"a weak sign-in":        {func(i *Identity) { i.ACR = "urn:pin" }, "strong", true},
		"an old one":            {func(i *Identity) {}, "fresh", true},
		"a very old one":        {func(i *Identity) { i.AuthTime = noon.Add(-time.Hour) }, "max_auth_age", true},
		"an API key":            {func(i *Identity) { i.Kind, i.ACR = KindAPIKey, "" }, "acr", false},
		"a bearer token of old": {func(i *Identity) { i.Kind = KindBearer }, "fresh", false},
	} {
		id := alice()
		c.change(&id)
		v := p.Decide(s.Subject(id), request("GET", "/"))
		if v.Allow || v.Rule != c.rule || (v.StepUp != nil) != c.helps || c.helps && v.StepUp.Query().Encode() != want {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if v := p.Decide(nil, request("GET", "/")); v.Reason != ReasonNobody || v.StepUp.Query().Encode() != want {
		t.Errorf("nobody: %+v", v)
	}
	good := alice()
	good.AuthTime = noon.Add(-61 * time.Second)
	v := p.Decide(s.Subject(good), request("GET", "/"))
	if !v.Allow || len(v.Reports) != 2 || v.Reports[0].StepUp != nil || v.Reports[1].StepUp != nil {
		t.Errorf("a good one: %+v", v)
	}
	v.StepUp, p.StepUp().ACR[0] = nil, "changed"
	if p.StepUp().ACR[0] == "changed" {
		t.Error("the policy can be changed through what it returns")
	}
}

// A user signs in again only if nothing else is in the way.
func TestNobodySignsInAgainToBeRefused(t *testing.T) {
	s := newSet(t, map[string]Rule{"admins": {Terms: Terms{Roles: []string{"admin"}}}})
	a := Allow{Terms: Terms{ACR: []string{"urn:hardware"}, MaxAuthAge: time.Minute}, Rules: []string{"admins"}}
	if v := compile(t, s, a, false).Decide(s.Subject(alice()), request("GET", "/")); v.Reason != ReasonRole || v.StepUp != nil {
		t.Errorf("%+v", v)
	}
}

// OAX-17: no loop when the provider ignores what it is asked for, or an upstream is not satisfied with what it asked for.
func TestNeedsAgain(t *testing.T) {
	s := newSet(t, nil)
	minutes := func(n int) *time.Duration { return new(time.Duration(n) * time.Minute) }
	for name, c := range map[string]struct {
		challenge StepUp
		change    func(*Identity)
		want      bool
	}{
		"another acr":                            {StepUp{ACR: []string{"urn:hardware"}}, nil, true},
		"the acr that is there":                  {StepUp{ACR: []string{"urn:hardware", "urn:mfa"}}, nil, false},
		"a younger sign-in":                      {StepUp{MaxAge: minutes(1)}, nil, true},
		"an older one":                           {StepUp{MaxAge: minutes(10)}, nil, false},
		"no age at all, long after the sign-in":  {StepUp{MaxAge: minutes(0)}, nil, true},
		"no age at all, just after the sign-in":  {StepUp{MaxAge: minutes(0)}, func(i *Identity) { i.AuthTime = noon.Add(-3 * time.Second) }, false},
		"an age where nobody knows it":           {StepUp{MaxAge: minutes(10)}, func(i *Identity) { i.AuthTime = time.Time{} }, true},
		"the acr, but too old":                   {StepUp{ACR: []string{"urn:mfa"}, MaxAge: minutes(1)}, nil, true},
		"young enough, but another acr":          {StepUp{ACR: []string{"urn:x"}, MaxAge: minutes(10)}, nil, true},
		"nothing said, long after the sign-in":   {StepUp{}, nil, true},
		"nothing said, just after the sign-in":   {StepUp{}, func(i *Identity) { i.AuthTime = noon.Add(-3 * time.Second) }, false},
		"a caller that cannot sign in":           {StepUp{ACR: []string{"urn:hardware"}}, func(i *Identity) { i.Kind = KindAPIKey }, false},
		"an acr that is empty is not the wanted": {StepUp{ACR: []string{"urn:x"}}, func(i *Identity) { i.ACR = "" }, true},
	} {
		id := alice()
		if c.change != nil {
			c.change(&id)
		}
		if got := NeedsAgain(c.challenge, s.Subject(id), noon); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if !NeedsAgain(StepUp{}, nil, noon) {
		t.Error("nobody need not sign in")
	}
}

func TestReasonsAreAllListed(t *testing.T) {
	reasons := Reasons()
	if !slices.IsSorted(reasons) || len(reasons) != 16 || slices.Contains(reasons, "") {
		t.Errorf("%q", reasons)
	}
}
