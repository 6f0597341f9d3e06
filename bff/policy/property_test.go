package policy

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

var seed = flag.Uint64("policy.seed", 0, "of the generated rules; 0 takes a new one")

// world is one generated configuration, and somebody in it.
type world struct {
	cfg   Config
	rules map[string]Rule
	allow Allow
	id    Identity
}

// pick is up to n different ones of a, b, c, …, with a prefix.
func pick(r *rand.Rand, prefix string, n int) []string {
	var out []string
	for _, i := range r.Perm(6)[:r.IntN(n+1)] {
		out = append(out, prefix+string(rune('a'+i)))
	}
	return out
}

func generateTerms(r *rand.Rand) Terms {
	t := Terms{Roles: pick(r, "r", 2), Scopes: pick(r, "s", 2)}
	if r.IntN(4) == 0 {
		t.ACR = []string{"x", "y", "z"}[:1+r.IntN(3)]
	}
	if r.IntN(4) == 0 {
		t.MaxAuthAge = time.Duration(1+r.IntN(10)) * time.Minute
	}
	return t
}

func generate(r *rand.Rand) world {
	w := world{cfg: Config{MapRoles: map[string][]string{}, InheritRoles: map[string][]string{}}, rules: map[string]Rule{}}
	for i := range 6 {
		if r.IntN(3) == 0 {
			w.cfg.MapRoles["r"+string(rune('a'+i))] = pick(r, "r", 2)
		}
		for _, other := range pick(r, "r", 3) { // downwards, so that there is no cycle
			if role := "r" + string(rune('a'+i)); other > role {
				w.cfg.InheritRoles[role] = append(w.cfg.InheritRoles[role], other)
			}
		}
	}
	w.allow.Terms = generateTerms(r)
	for i := range r.IntN(4) {
		name, terms := fmt.Sprintf("rule-%d", i), generateTerms(r)
		if len(terms.given()) == 0 {
			continue
		}
		w.rules[name] = Rule{Terms: terms, ReportOnly: r.IntN(4) == 0}
		w.allow.Rules = append(w.allow.Rules, name)
		if r.IntN(4) == 0 {
			w.allow.ReportOnly = append(w.allow.ReportOnly, name)
		}
	}
	for _, t := range w.allow.given() {
		if r.IntN(4) == 0 {
			w.allow.ReportOnly = append(w.allow.ReportOnly, string(t))
		}
	}
	w.id = Identity{
		Kind: []string{KindSession, KindAPIKey, KindBearer}[r.IntN(3)], Subject: "u", Roles: pick(r, "r", 3), Scopes: pick(r, "s", 5),
		ACR: []string{"", "x", "y", "z"}[r.IntN(4)], AuthTime: noon.Add(-time.Duration(r.IntN(12)) * time.Minute),
	}
	return w
}

// is says by the words of the manual, and as slowly as they can be taken, whether the person has a role.
func (w world) is(role string) bool {
	for _, name := range w.id.Roles {
		ours := []string{name}
		if mapped, ok := w.cfg.MapRoles[name]; ok && w.id.Kind != KindAPIKey {
			ours = mapped
		}
		for _, o := range ours {
			if w.includes(o, role) {
				return true
			}
		}
	}
	return false
}

func (w world) includes(role, other string) bool {
	return role == other || slices.ContainsFunc(w.cfg.InheritRoles[role], func(next string) bool { return w.includes(next, other) })
}

// refuses are the terms that do not hold.
func (w world) refuses(t Terms) (out []string) {
	if len(t.Roles) > 0 && !slices.ContainsFunc(t.Roles, w.is) {
		out = append(out, "roles")
	}
	if slices.ContainsFunc(t.Scopes, func(s string) bool { return !slices.Contains(w.id.Scopes, s) }) {
		out = append(out, "scopes")
	}
	if len(t.ACR) > 0 && !slices.Contains(t.ACR, w.id.ACR) {
		out = append(out, "acr")
	}
	if t.MaxAuthAge > 0 && noon.Sub(w.id.AuthTime) > t.MaxAuthAge {
		out = append(out, "max_auth_age")
	}
	return out
}

// judge is whether the request passes, and how many report-only terms would have refused it.
func (w world) judge() (enforced, reported []string) {
	for _, t := range w.refuses(w.allow.Terms) {
		if slices.Contains(w.allow.ReportOnly, t) {
			reported = append(reported, t)
		} else {
			enforced = append(enforced, t)
		}
	}
	for _, name := range w.allow.Rules {
		for range w.refuses(w.rules[name].Terms) {
			if w.rules[name].ReportOnly || slices.Contains(w.allow.ReportOnly, name) {
				reported = append(reported, name)
			} else {
				enforced = append(enforced, name)
			}
		}
	}
	return enforced, reported
}

// inCEL is t.Roles and t.Scopes as an expression.
func (t Terms) inCEL() string {
	parts := []string{"true"}
	if len(t.Roles) > 0 {
		parts = append(parts, `(["`+strings.Join(t.Roles, `","`)+`"].exists(r, r in user.roles))`)
	}
	for _, s := range t.Scopes {
		parts = append(parts, `"`+s+`" in user.scopes`)
	}
	return strings.Join(parts, " && ")
}

// AUZ-01..03: no generated set of rules lets anybody through whom a naive reading of the manual refuses, nor the other way round; explain says the same, and so
// do the same rules in CEL.
func TestRulesDoWhatTheManualSays(t *testing.T) {
	from := *seed
	if from == 0 {
		from = rand.Uint64()
	}
	r := rand.New(rand.NewPCG(from, 5))
	passed, reports := 0, 0
	for i := range 800 {
		w := generate(r)
		s, err := NewSet(w.cfg, w.rules)
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.Compile(w.allow, false)
		if err != nil {
			if strings.Contains(err.Error(), "no sign-in can be all") {
				continue
			}
			t.Fatal(err)
		}
		u, request := s.Subject(w.id), request("GET", "/")
		v := p.Decide(u, request)
		enforced, reported := w.judge()
		var got []string
		for _, report := range v.Reports {
			got = append(got, report.Rule)
		}
		slices.Sort(got)
		slices.Sort(reported)
		if !v.Allow {
			reported = nil
		}
		if v.Allow != (len(enforced) == 0) || !v.Allow && !slices.Contains(enforced, v.Rule) || !slices.Equal(got, reported) {
			t.Fatalf("-policy.seed=%d, world %d: %+v\n%+v, want refused by %v, reported %v", from, i, w, v, enforced, reported)
		}
		all := true
		for _, step := range p.Explain(t.Context(), u, request, Sources{}) {
			all = all && (step.Passes || !step.Enforced)
		}
		own := w.allow.Terms
		cel := compile(t, s, when(own.inCEL()), false).Decide(u, request).Allow
		own.ACR, own.MaxAuthAge = nil, 0
		if all != v.Allow || cel != (len(w.refuses(own)) == 0) {
			t.Fatalf("-policy.seed=%d, world %d: %+v\nexplain says %v, CEL says %v", from, i, w, all, cel)
		}
		if v.Allow {
			passed++
			reports += len(v.Reports)
		}
	}
	if passed < 80 || reports < 15 {
		t.Errorf("%d worlds let pass, with %d reports: the test proves little", passed, reports)
	}
}

// PRX-20, AUZ-04: a parameter that an expression sees is the one that every server sees: there is no other of that name, in any spelling, and its place, its encoding and
// its neighbours do not matter.
func FuzzParameters(f *testing.F) {
	for _, q := range []string{"role=user", "role=user&ROLE=admin", "r%6fle=user&role[]=admin", "a=b;role=admin", "role=us%65r&&x", "role", "=role", "role=a=b", "%ff=1&role=x", "%20role=1&role=2", strings.Repeat("a&", 300) + "role=x"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		value, found, err := parseParameters(raw).find("role")
		var all []string
		for part := range strings.FieldsFuncSeq(raw, func(r rune) bool { return r == '&' || r == ';' }) {
			k, v, _ := strings.Cut(part, "=")
			name, _ := url.QueryUnescape(k)
			name, _, _ = strings.Cut(name, "[")
			if strings.EqualFold(strings.TrimSpace(name), "role") {
				v, _ = url.QueryUnescape(v)
				all = append(all, v)
			}
		}
		standard, wrong := url.ParseQuery(raw)
		switch {
		case found && (err != nil || len(all) != 1 || all[0] != value || wrong != nil || !slices.Equal(standard["role"], []string{value})):
			t.Fatalf("%q: found %q, but there are %q, or %q (%v)", raw, value, all, standard["role"], err)
		case !found && err == nil && (len(all) != 0 || standard.Has("role")):
			t.Fatalf("%q: not found, but there are %q", raw, all)
		}
		if found {
			for _, same := range []string{raw + "&other=1", "other=1&" + raw, "&" + raw, "role=" + url.QueryEscape(value), "%72ole=" + url.QueryEscape(value)} {
				if v, ok, err := parseParameters(same).find("role"); !ok || err != nil || v != value {
					if len(parseParameters(raw).list) < maxParams {
						t.Fatalf("%q: %q, %v, %v, want %q", same, v, ok, err, value)
					}
				}
			}
			if _, ok, err := parseParameters(raw + "&role=other").find("role"); ok || err == nil {
				t.Fatalf("%q and another one: found", raw)
			}
		}
	})
}
