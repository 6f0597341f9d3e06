package policy

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// AUZ-01, AUZ-04: a mistake in an expression is found at start, by the place where it is.
func TestMistakesInExpressionsAreFoundAtStart(t *testing.T) {
	for name, c := range map[string]struct{ when, want string }{
		"a misspelt attribute":                   {`"a" in user.rolez`, "undeclared reference to 'user.rolez' (did you mean 'user.roles'?) (line 1, column 12)"},
		"an unknown variable":                    {`usr.sub == "a"`, "did you mean 'user.sub'?"},
		"a syntax error":                         {`user.sub == `, "Syntax error"},
		"a wrong type":                           {`user.sub == 7`, "== does not go with (string, int) (line 1, column 10)"},
		"a list and a text":                      {`user.roles == "support"`, `write "a" in list`},
		"part of a text":                         {`"a" in user.sub`, "contains("},
		"a span of time as text":                 {`now - session.auth_time < "15m"`, `duration("15m")`},
		"a function on the wrong thing":          {`user.roles.contains("a")`, "contains() does not go with list(string)"},
		"an attribute that does not exist":       {`user.email == "x"`, "there is no user.email; there is user.sub, user.issuer, user.provider, user.kind, user.roles, user.scopes, user.claims; a claim is user.claims.email (line 1, column 1)"},
		"the user as a whole":                    {`user == "x"`, "user alone has no value"},
		"a name that does not exist":             {`claims.x == "x"`, "there is no claims; expressions have user, session, request, resource and now"},
		"a part of a time that does not exist":   {`now.day == 1`, "there is now.date, now.hour, now.minute, now.weekday"},
		"and":                                    {`now.hour > 8 and now.hour < 18`, `when: "and" is no operator of CEL; write && (line 1, column 14)`},
		"not":                                    {`not user.sub == "x"`, `"not" is no operator of CEL; write ! (line 1, column 1)`},
		"one equals sign":                        {`user.sub = "ä" && true`, `"=" is no operator of CEL; write == (line 1, column 10)`},
		"two signs of another language":          {"true &&\n\"ä\" <> user.sub", `"<>" is no operator of CEL; write != (line 2, column 5)`},
		"something that is not true or false":    {`user.sub`, "is string, not true or false"},
		"a claim alone":                          {`user.claims.admin`, "is dyn, not true or false"},
		"a pattern with look-ahead":              {`request.path.matches("(?=x)")`, "RE2"},
		"a pattern that a request brings":        {`request.path.matches(request.method)`, "must stand there as it is"},
		"a pattern of a huge program":            {`request.path.matches("(a{1,500}){1,2}")`, "regex"},
		"no duration":                            {`now - session.created < duration("x")`, "duration"},
		"no time":                                {`now < timestamp("yesterday")`, "timestamp"},
		"a zone that does not exist":             {`now.getHours("Mars/X") > 8`, `"Mars/X" is no time zone`},
		"an offset that does not exist":          {`now.getHours("+25:99") > 8`, `is no offset`},
		"a zone that a claim brings":             {`now.getHours(user.claims.zone) > 8`, "must stand there as it is"},
		"all headers at once":                    {`request.headers.exists(h, h == "x")`, "can only be asked for one name"},
		"all parameters at once":                 {`request.query.all(k, k == "page")`, "can only be asked for one name"},
		"how many parameters":                    {`size(request.query) == 0`, "can only be asked for one name"},
		"parameters compared as a whole":         {`request.query == {}`, "can only be asked for one name"},
		"a map of lookups":                       {`{"q": request.query}.q.page == "1"`, "can only be asked for one name"},
		"the cookie":                             {`request.headers["cookie"] == "x"`, "for credentials"},
		"the bearer":                             {`request.headers.Authorization == "x"`, "for credentials"},
		"no network":                             {`within(request.client_ip, "10.0.0.0")`, "wants a network"},
		"a network that a request brings":        {`within(request.client_ip, request.path)`, "wants a network"},
		"a list of mixed things":                 {`user.sub in ["a", 1]`, "expected type"},
		"three loops in each other":              {`user.roles.exists(a, user.roles.exists(b, user.roles.exists(c, a == b && b == c)))`, "nesting limit"},
		"a whole page":                           {`user.sub == "` + strings.Repeat("x", 5000) + `"`, "exceeds limit"},
		"more parentheses than anybody can read": {strings.Repeat("(", 60) + "true" + strings.Repeat(")", 60), "recursion"},
		"a function that does not exist":         {`user.sub.lowerAscii() == "a"`, "there is no function lowerAscii() (line 1, column 20)"},
	} {
		_, err := newSet(t, nil).Compile(when(c.when), true)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "when: ") {
			t.Errorf("%s: %.80s: %v, want %s", name, c.when, err, c.want)
		}
	}
}

// AUZ-02, AUZ-04: only true lets pass. A missing attribute refuses, and so does an error.
func TestExpressions(t *testing.T) {
	const passes, fails, errs = "", ReasonWhen, ReasonWhenError
	for name, c := range map[string]struct{ when, want string }{
		"a role":                              {`"editor" in user.roles`, passes},
		"an inherited role":                   {`"customer" in user.roles`, passes},
		"a name that is mapped is no role":    {`"grp-4711" in user.roles`, fails},
		"roles are compared letter by letter": {`"Editor" in user.roles`, fails},
		"all roles":                           {`user.roles == ["customer", "editor", "support"]`, passes},
		"a role of several":                   {`user.roles.exists(r, r in ["admin", "support"])`, passes},
		"something else than a role":          {`user.roles.exists(r, r.startsWith("x"))`, fails},
		"a scope":                             {`"docs.write" in user.scopes`, passes},
		"who":                                 {`user.sub == "alice" && user.issuer == "https://id.example.com" && user.provider == "main" && user.kind == "session"`, passes},
		"a claim":                             {`user.claims.tenant == "t1"`, passes},
		"a number":                            {`user.claims.level == 3 && user.claims.level > 2`, passes},
		"true is not \"true\"":                {`user.claims.admin == "true"`, fails},
		"a claim inside another":              {`user.claims.address.country == "DE"`, passes},
		"a list in a claim":                   {`"b" in user.claims.groups`, passes},
		"a claim that is not there":           {`user.claims.missing == "x"`, errs},
		"a claim that is not there is not different":    {`user.claims.missing != "x"`, errs},
		"an item of a list that is not long enough":     {`user.claims.groups[9] == "x"`, errs},
		"a claim of another type":                       {`user.claims.tenant > 3`, errs},
		"has() of what is not there":                    {`has(user.claims.missing)`, fails},
		"a whole number that no double is":              {`user.claims.big == 9007199254740992`, errs},
		"nor different from any":                        {`user.claims.big != 1`, errs},
		"a list with such a number":                     {`user.claims.bigs == [1.0, 9007199254740992.0]`, errs},
		"and does not have others":                      {`!(7.0 in user.claims.bigs)`, errs},
		"null":                                          {`user.claims.nothing == null`, passes},
		"or absorbs an error, as CEL has it":            {`user.claims.missing == "x" || true`, passes},
		"and absorbs it too":                            {`!(user.claims.missing == "x" && false)`, passes},
		"division by zero":                              {`1 / (size(user.roles) - 3) == 1`, errs},
		"how":                                           {`session.acr == "urn:mfa"`, passes},
		"how long ago":                                  {`now - session.auth_time < duration("10m")`, passes},
		"too long ago":                                  {`now - session.created < duration("1m")`, fails},
		"the method":                                    {`request.method == "DELETE"`, passes},
		"the path":                                      {`request.path == "/api/documents/7" && request.route == "/api/documents/{id}"`, passes},
		"a value of the path":                           {`request.values.id == "7" && request.values["id"] == "7" && "id" in request.values`, passes},
		"a value that the pattern has not":              {`request.values.other == "7"`, errs},
		"where a pattern matches is the author's":       {`request.path.matches("documents")`, passes},
		"a pattern with both ends":                      {`request.path.matches("^/documents")`, fails},
		"the address":                                   {`request.client_ip == "192.0.2.7"`, passes},
		"a network":                                     {`within(request.client_ip, "192.0.2.0/24")`, passes},
		"another network":                               {`within(request.client_ip, "10.0.0.0/8") || within(request.client_ip, "2001:db8::/32")`, fails},
		"the hour, where policy.time_zone is":           {`now.hour == 12 && now.minute == 0 && now.weekday == 1 && now.date == "2026-11-23"`, passes},
		"the hour elsewhere":                            {`now.getHours("America/New_York") == 6 && now.getHours("+05:30") == 16 && now.getHours() == 11`, passes},
		"the time":                                      {`now == timestamp("2026-11-23T11:00:00Z")`, passes},
		"a loop within its cost":                        {`user.roles.all(a, user.roles.exists(b, a == b))`, passes},
		"a parameter":                                   {`request.query.page == "2" && request.query["page"] == "2" && "page" in request.query && has(request.query.page)`, passes},
		"a parameter that is not there":                 {`request.query.none == "2"`, errs},
		"no such parameter":                             {`!("none" in request.query) && !has(request.query.none)`, passes},
		"a parameter that comes twice":                  {`request.query.twice == "1"`, errs},
		"nor is it another":                             {`request.query.twice != "3"`, errs},
		"nor is it absent":                              {`!("twice" in request.query)`, errs},
		"nor has() it":                                  {`has(request.query.twice)`, errs},
		"a parameter in two spellings":                  {`request.query.role == "user"`, errs},
		"one in another spelling is not absent":         {`!("debug" in request.query)`, errs},
		"one with an index is not absent":               {`!("tags" in request.query)`, errs},
		"one with an index, asked for as it is":         {`request.query["tags[]"] == "x"`, passes},
		"one that is decoded":                           {`request.query.q == "a b+c"`, passes},
		"one that is no text":                           {`request.query.bytes != ""`, errs},
		"a header":                                      {`request.headers["x-tenant"] == "t1" && request.headers["X-TENANT"] == user.claims.tenant`, passes},
		"a header that comes twice":                     {`request.headers["x-twice"] == "1"`, errs},
		"nor is it absent ":                             {`!("x-twice" in request.headers)`, errs},
		"a header that is not there":                    {`request.headers["x-none"] == ""`, errs},
		"a header in a spelling that some servers fold": {`request.headers["x-under-score"] == "1"`, errs},
		"a caller's credential":                         {`request.headers["x-" + "api-key"] != ""`, errs},
		"the cookie, in a roundabout way":               {`"coo" + "kie" in request.headers`, errs},
	} {
		r := request("DELETE", "/api/documents/7?page=2&twice=1&twice=2&role=user&ROLE=admin&Debug=1&tags[]=x&q=a+b%2Bc&bytes=%ff",
			"X-Tenant", "t1", "X-Twice", "1", "X-Twice", "2", "X_Under_Score", "1", "X-Under-Score", "1", "X-Api-Key", "ck_1", "Cookie", "a=b")
		s := newSet(t, nil, "x-api-key")
		got := compile(t, s, when(c.when), false).Decide(s.Subject(alice()), r)
		if got.Reason != c.want || got.Allow != (c.want == passes) || !got.Allow && (got.Rule != "when" || got.Unavailable || got.StepUp != nil) {
			t.Errorf("%s: %s: %+v, want %q", name, c.when, got, c.want)
		}
	}
}

// An IPv4 address in IPv6's clothes is the IPv4 address; what is no address is in no network, and not outside one either.
func TestWithin(t *testing.T) {
	s := newSet(t, nil)
	for expression, want := range map[string]string{
		`within("::ffff:10.1.2.3", "10.0.0.0/8")`: "", `within("10.100.0.1", "10.1.0.0/16")`: ReasonWhen, `within("2001:db8::1", "2001:db8::/32")`: "", `!within("localhost", "10.0.0.0/8")`: ReasonWhenError,
	} {
		if v := compile(t, s, when(expression), false).Decide(nil, request("GET", "/")); v.Reason != want {
			t.Errorf("%s: %+v, want %q", expression, v, want)
		}
	}
}

// AUZ-02: HEAD may no more than GET, and no spelling of a method is a way around.
func TestMethods(t *testing.T) {
	s := newSet(t, nil)
	p := compile(t, s, when(`request.method == "GET"`), false)
	not := compile(t, s, when(`request.method != "DELETE"`), false)
	for method, want := range map[string][2]string{
		"GET": {}, "HEAD": {}, "OPTIONS": {ReasonWhen, ""}, "DELETE": {ReasonWhen, ReasonWhen}, "PURGE": {ReasonWhen, ""},
		"delete": {ReasonWhenError, ReasonWhenError}, "Get": {ReasonWhenError, ReasonWhenError},
	} {
		r := request("GET", "/")
		r.HTTP.Method = method
		u := s.Subject(alice())
		if a, b := p.Decide(u, r), not.Decide(u, r); a.Reason != want[0] || b.Reason != want[1] {
			t.Errorf("%s: %q and %q, want %q", method, a.Reason, b.Reason, want)
		}
	}
}

// AUZ-04: what is not known has no value, so that two who both lack something are not alike.
func TestWhatIsNotKnownIsMissing(t *testing.T) {
	s := newSet(t, nil)
	for _, expression := range []string{
		`user.sub == ""`, `user.issuer == ""`, `user.provider == ""`, `user.kind == ""`, `session.acr == ""`, `session.acr != "urn:weak"`, `session.auth_time < now`, `session.created < now`,
		`request.client_ip == ""`, `request.route == ""`, `now.hour >= 0`, `now.date != ""`, `now > timestamp("2000-01-01T00:00:00Z")`, `request.values.id == ""`, `!("x" in user.claims.list)`,
	} {
		r := request("GET", "/")
		r.Client, r.Route, r.Now, r.Value = netip.Addr{}, "", time.Time{}, nil
		if v := compile(t, s, when(expression), false).Decide(s.Subject(Identity{}), r); v.Reason != ReasonWhenError {
			t.Errorf("%s: %+v", expression, v)
		}
	}
}

// Nobody has no attributes; an expression that is not about the user is about the request alone.
func TestNobody(t *testing.T) {
	s := newSet(t, nil)
	for expression, want := range map[string]string{
		`"banned" in user.roles`: ReasonNobody, `!("banned" in user.roles)`: ReasonNobody, `user.sub != "mallory"`: ReasonNobody, `session.acr != "weak"`: ReasonNobody,
		`!has(user.claims.banned)`: ReasonNobody, `request.method == "GET"`: "", `request.method == "GET" || "x" in user.roles`: "", `request.method == "PUT"`: ReasonWhen,
		`request.query.x == "1"`: ReasonWhenError, `size(user.roles) == 0`: ReasonNobody,
	} {
		if v := compile(t, s, when(expression), false).Decide(nil, request("GET", "/")); v.Reason != want || v.Allow != (want == "") {
			t.Errorf("%s: %+v, want %q", expression, v, want)
		}
	}
}

// AUZ-04: an expression is stopped before it takes long, and that refuses. What cannot be long is not counted, because counting costs.
func TestCost(t *testing.T) {
	s := newSet(t, nil)
	for expression, limited := range map[string]bool{
		`"support" in user.roles && request.method == "GET"`:                               false,
		`user.claims.tenant == request.values.tenant`:                                      false,
		`request.path.startsWith("/api/") && request.path.matches("^/api/[a-z]+/[0-9]+$")`: false,
		`user.roles.exists(r, r.startsWith("team-"))`:                                      false,
		`user.roles.exists(a, user.roles.exists(b, a != b))`:                               true,
		`user.claims.groups.exists(a, user.claims.groups.exists(b, a == b && a != b))`:     true,
		`resource.owner == user.sub`:                                                       true, // as large as it likes
	} {
		e, err := parseExpression(expression)
		if err != nil || e.limited != limited {
			t.Errorf("%s: limited %v (%v), want %v", expression, e.limited, err, limited)
		}
	}
	id := alice()
	var groups []any
	for range 1000 {
		groups = append(groups, strings.Repeat("g", 5))
	}
	id.Claims["groups"] = groups
	v := compile(t, s, when(`user.claims.groups.exists(a, user.claims.groups.exists(b, a == b && a != b))`), false).Decide(s.Subject(id), request("GET", "/"))
	if v.Allow || v.Reason != ReasonWhenCost {
		t.Errorf("a million comparisons: %+v", v)
	}
	var list []string
	for range 40 {
		list = append(list, "1")
	}
	loop := "[" + strings.Join(list, ",") + "]"
	if _, err := s.Compile(when(`size(`+loop+`.map(a, `+loop+`.map(b, `+loop+` + [a, b]))) > 0`), false); err == nil || !strings.Contains(err.Error(), "costs at least") {
		t.Errorf("an expression that can only be stopped: %v", err)
	}
}

// LOG-02: the cause of a refusal goes to the log, so it has nothing of what a client, or a user's claims, brought.
func TestErrorsHaveNoValues(t *testing.T) {
	s := newSet(t, nil)
	for expression, want := range map[string]string{
		`int(request.query.q) == 7`: "not of the form", `timestamp(request.query.q) < now`: "not of the form", `request.query[request.query.q] == "x"`: "no such key", `request.query.none == "x"`: "no such key: none", `request.query[request.query.t] == "x"`: "a name",
		`request.headers[request.query.q] == "x"`: "no such key", `user.claims[request.query.q] == "x"`: "no such key",
		`user.claims.tenant > 7`: "no such overload", `request.query.twice == "x"`: "more than once",
	} {
		v := compile(t, s, when(expression), false).Decide(s.Subject(alice()), request("GET", "/?q=TOPSECRET&twice=1&twice=2&t=SECRETNAME&SECRETNAME=1&SECRETNAME=2"))
		if v.Err == nil || !strings.Contains(v.Err.Error(), want) || strings.Contains(v.Err.Error(), "SECRET") {
			t.Errorf("%s: %v, want %s", expression, v.Err, want)
		}
	}
}

// AUZ-04: a session that was read from the store has its numbers as text. They were doubles before, so one beyond 2^53 may be another number than the token's.
func TestNumbersOfStoredSessions(t *testing.T) {
	s := newSet(t, nil)
	id := alice()
	id.Claims = map[string]any{"level": json.Number("3"), "half": json.Number("0.5"), "big": json.Number("9007199254740992"), "list": []any{json.Number("1"), json.Number("9007199254740992")}, "odd": json.Number("1e999")}
	for expression, want := range map[string]string{
		`user.claims.level == 3 && user.claims.level > 2 && user.claims.half < 1`: "", `user.claims.big == 9007199254740992`: ReasonWhenError, `user.claims.list[0] == 1`: ReasonWhenError,
		`user.claims.odd > 1`: ReasonWhenError, `has(user.claims.big)`: ReasonWhen,
	} {
		if v := compile(t, s, when(expression), false).Decide(s.Subject(id), request("GET", "/")); v.Reason != want {
			t.Errorf("%s: %+v, want %q", expression, v, want)
		}
	}
}
