package policy

import (
	"context"
	"errors"
	"testing"
	"time"
)

// The example of the article: a user may DELETE a document that they own, in draft, within business hours.
func TestDeletingOnesOwnDraftWithinBusinessHours(t *testing.T) {
	s := newSet(t, map[string]Rule{
		"business_hours": {Terms: Terms{When: `now.weekday in [1,2,3,4,5] && now.hour >= 8 && now.hour < 18`}},
		"owns_draft":     {Terms: Terms{When: `request.method == "DELETE" && resource.owner == user.sub && resource.state == "draft"`}},
	})
	p := compile(t, s, Allow{Terms: Terms{Roles: []string{"editor"}}, Rules: []string{"business_hours", "owns_draft"}}, true)
	draft := `{"id": 7, "owner": "alice", "state": "draft"}`
	berlin := func(text string) time.Time {
		at, err := time.ParseInLocation(time.DateTime, text, s.zone)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for name, c := range map[string]struct {
		method, user, resource, at, want string
	}{
		"her own draft, at noon on a Monday":  {"DELETE", "alice", draft, "2026-11-23 12:00:00", ""},
		"at eight, sharp":                     {"DELETE", "alice", draft, "2026-11-23 08:00:00", ""},
		"a second before eight":               {"DELETE", "alice", draft, "2026-11-23 07:59:59", "business_hours when_false"},
		"at eighteen, sharp":                  {"DELETE", "alice", draft, "2026-11-23 18:00:00", "business_hours when_false"},
		"on a Sunday":                         {"DELETE", "alice", draft, "2026-11-22 12:00:00", "business_hours when_false"},
		"in summer, when the clock differs":   {"DELETE", "alice", draft, "2026-07-20 08:00:00", ""},
		"a document of somebody else":         {"DELETE", "bob", draft, "2026-11-23 12:00:00", "owns_draft when_false"},
		"one that is published":               {"DELETE", "alice", `{"owner":"alice","state":"published"}`, "2026-11-23 12:00:00", "owns_draft when_false"},
		"one that nobody owns":                {"DELETE", "alice", `{"state":"draft"}`, "2026-11-23 12:00:00", "owns_draft when_error"},
		"one whose owner is null":             {"DELETE", "alice", `{"owner":null,"state":"draft"}`, "2026-11-23 12:00:00", "owns_draft when_false"},
		"one with a list of owners":           {"DELETE", "alice", `{"owner":["alice"],"state":"draft"}`, "2026-11-23 12:00:00", "owns_draft when_false"},
		"one with the owner in other letters": {"DELETE", "alice", `{"Owner":"alice","state":"draft"}`, "2026-11-23 12:00:00", "owns_draft when_error"},
		"not deleting":                        {"PUT", "alice", draft, "2026-11-23 12:00:00", "owns_draft when_false"},
	} {
		id := alice()
		id.Subject = c.user
		u, r := s.Subject(id), request(c.method, "/api/documents/7")
		r.Now = berlin(c.at)
		v := p.Decide(u, r)
		if v.Allow && p.Asks() {
			v = p.Ask(t.Context(), u, r, Sources{Resource: func(context.Context) (map[string]any, error) { return ParseResource([]byte(c.resource)) }})
		}
		if got := inWords(v); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// AUZ-04, law 5: what cannot be looked up lets nobody pass, and is no refusal either; what is not there is one. It is looked up once.
func TestTheResourceIsLookedUpOnce(t *testing.T) {
	s := newSet(t, map[string]Rule{
		"second": {Terms: Terms{When: `.resource.n == 1`}},
		"tried":  {Terms: Terms{When: `resource.n == 2`}, ReportOnly: true},
	})
	p := compile(t, s, Allow{Terms: Terms{When: `resource.owner == user.sub`}, Rules: []string{"second", "tried"}}, true)
	if !p.Asks() || !p.WantsResource() {
		t.Fatal("nothing to ask")
	}
	for name, c := range map[string]struct {
		look        func(context.Context) (map[string]any, error)
		want        string
		unavailable bool
	}{
		"it is there":                 {func(context.Context) (map[string]any, error) { return map[string]any{"owner": "alice", "n": 1.0}, nil }, " | tried when_false", false},
		"it is there, and somebody's": {func(context.Context) (map[string]any, error) { return map[string]any{"owner": "bob", "n": 1.0}, nil }, "when when_false", false},
		"it is not there":             {func(context.Context) (map[string]any, error) { return nil, ErrNoResource }, "when resource_missing", false},
		"there is nothing":            {func(context.Context) (map[string]any, error) { return nil, nil }, "when resource_missing", false},
		"it has no attributes":        {func(context.Context) (map[string]any, error) { return map[string]any{}, nil }, "when when_error", false},
		"its server is away":          {func(context.Context) (map[string]any, error) { return nil, errors.New("refused") }, "when resource_unavailable", true},
		"nobody can look it up":       {nil, "when resource_unavailable", true},
		"what came is no JSON":        {func(context.Context) (map[string]any, error) { return ParseResource([]byte(`<html>`)) }, "when resource_unavailable", true},
		"what came has its owners twice": {func(context.Context) (map[string]any, error) {
			return ParseResource([]byte(`{"owner":"alice","owner":"bob"}`))
		}, "when resource_unavailable", true},
	} {
		asked := 0
		src := Sources{}
		if c.look != nil {
			src.Resource = func(ctx context.Context) (map[string]any, error) { asked++; return c.look(ctx) }
		}
		v := p.Ask(t.Context(), s.Subject(alice()), request("GET", "/"), src)
		if got := inWords(v); got != c.want || v.Unavailable != c.unavailable || asked > 1 {
			t.Errorf("%s: %q, unavailable %v, asked %d times; want %q", name, got, v.Unavailable, asked, c.want)
		}
	}
}

// A report-only rule never refuses, not even when it cannot be asked.
func TestReportOnlyRulesThatCannotBeAsked(t *testing.T) {
	s := newSet(t, nil)
	a := when(`resource.owner == user.sub`)
	a.ReportOnly = []string{"when"}
	v := compile(t, s, a, true).Ask(t.Context(), s.Subject(alice()), request("GET", "/"), Sources{})
	if !v.Allow || v.Unavailable || len(v.Reports) != 1 || !v.Reports[0].Unavailable || v.Reports[0].Reason != ReasonResourceUnavailable {
		t.Errorf("%+v", v)
	}
}

func TestParseResource(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		ok   bool
	}{
		"an object":              {`{"a": {"b": [1, 2, {"c": null}]}, "d": true}`, true},
		"an empty one":           {` {} `, true},
		"a list":                 {`[]`, false},
		"null":                   {`null`, false},
		"nothing":                {``, false},
		"two":                    {`{} {}`, false},
		"something behind":       {`{}}`, false},
		"half of one":            {`{"a":`, false},
		"a comma too many":       {`{"a":[1,]}`, false},
		"no colon":               {`{"a" 1}`, false},
		"a member twice":         {`{"a":1,"b":2,"a":1}`, false},
		"twice, written apart":   {`{"a":1,"\u0061":2}`, false},
		"twice, deep inside":     {`{"x":[{"a":1,"a":2}]}`, false},
		"the same in two places": {`{"x":[{"a":1},{"a":2}]}`, true},
		"no UTF-8":               {"{\"a\":\"\xff\"}", false},
		"nested deep":            {nested(30), true},
		"nested too deep":        {nested(33), false},
	} {
		if _, err := ParseResource([]byte(c.body)); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseResource(append([]byte(`{"a":"`), make([]byte, maxResource)...)); err == nil {
		t.Error("a mebibyte is taken")
	}
}

func nested(depth int) string {
	open, end := `{"a":`, ""
	for range depth - 1 {
		open, end = open+"[", end+"]"
	}
	return open + end + "}"
}

// AUZ-04: two numbers that are not the same are never equal, however large.
func TestNumbersOfResources(t *testing.T) {
	s := newSet(t, nil)
	for expression, want := range map[string]string{
		`resource.small == 7`: "", `resource.small == user.claims.level`: ReasonWhen, `resource.three == user.claims.level`: "", `resource.half * 2.0 == 1.0`: "",
		`resource.large == 9007199254740993`: "", `resource.large == 9007199254740992`: ReasonWhen, `resource.large == resource.next`: ReasonWhen,
		`resource.huge == resource.huge`: ReasonWhenError, `resource.large == user.claims.big`: ReasonWhenError, `resource.list[0] == 9007199254740993`: "",
	} {
		raw, err := ParseResource([]byte(`{"small": 7, "three": 3, "half": 0.5, "large": 9007199254740993, "next": 9007199254740992, "huge": 123456789012345678901234567890, "list": [9007199254740993]}`))
		if err != nil {
			t.Fatal(err)
		}
		src := Sources{Resource: func(context.Context) (map[string]any, error) { return raw, nil }}
		if v := compile(t, s, when(expression), true).Ask(t.Context(), s.Subject(alice()), request("GET", "/"), src); v.Reason != want {
			t.Errorf("%s: %+v, want %q", expression, v, want)
		}
	}
}
