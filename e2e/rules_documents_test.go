package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/up"
)

// routes are those of documents: who may delete one is the article's example.
func (d *shelf) routes() string {
	return fmt.Sprintf(`  - path: /documents/{id}
    methods: [DELETE]
    upstream: %[1]q
    resource: {url: "%[1]s/documents/{id}", timeout: 10s, max_body: 1KiB}
    allow: {rules: [business_hours, owns_draft]}
  - {path: "/documents/{id}", methods: [GET], upstream: %[1]q}
  - path: /documents-soon/{id}
    upstream: "%[1]s/documents"
    strip_prefix: /documents-soon
    resource: {url: "%[1]s/documents/{id}", timeout: 100ms}
    allow: {rules: [owns_draft]}
  - path: /documents-known/{id}
    upstream: "%[1]s/documents"
    strip_prefix: /documents-known
    resource: {url: "%[1]s/documents/{id}", timeout: 10s, cache: 1m}
    allow: {rules: [owns_draft]}
  - path: /documents-of-editors/{id}
    upstream: "%[1]s/documents"
    strip_prefix: /documents-of-editors
    resource: {url: "%[1]s/documents/{id}", timeout: 10s}
    allow: {roles: [editor], rules: [owns_draft]}
  - path: /documents-of-all/{id}
    upstream: "%[1]s/documents"
    strip_prefix: /documents-of-all
    callers: [api_key, bearer]
    pass_credentials: true
    resource: {url: "%[1]s/documents/{id}", timeout: 10s}
    allow: {when: resource.public == true}
`, d.server.URL)
}

// The article's example: a user may delete a document that they own, in draft, within business hours. What counts is how it is at the time of the request.
func TestAUserDeletesTheirOwnDraft(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	owner, other := s.signedIn("olga"), s.signedIn("otto")
	denied := func(reason string) refusal { return refusal{"forbidden", "owns_draft", reason} }
	s.shelf.put("plan", `{"owner":"olga","state":"draft"}`)
	s.refusedOnce(s.sends(other, "DELETE", "/documents/plan"), 403, denied("when_false"))
	s.shelf.put("plan", `{"owner":"olga","state":"published"}`)
	s.refusedOnce(s.sends(owner, "DELETE", "/documents/plan"), 403, denied("when_false"))
	s.shelf.put("plan", `{"owner":"otto","state":"draft"}`) // sold
	s.refusedOnce(s.sends(owner, "DELETE", "/documents/plan"), 403, denied("when_false"))
	for name, doc := range map[string]string{"nobody's": `{"state":"draft"}`, "one of a list": `{"owner":["olga"],"state":"draft"}`, "null": `{"owner":null,"state":"draft"}`} {
		s.shelf.put("plan", doc)
		if a := s.sends(owner, "DELETE", "/documents/plan"); a.Status != 403 {
			t.Errorf("%s: %d", name, a.Status)
		}
	}
	if n := len(s.shelf.visits("DELETE", "plan")); n != 0 {
		t.Fatalf("%d deletions came through", n)
	}
	s.shelf.put("plan", `{"owner":"olga","state":"draft"}`)
	s.fetch(s.at(owner, 1), "DELETE", "/documents/plan", 200)
	s.refusedOnce(s.sends(owner, "DELETE", "/documents/plan"), 404, refusal{"not_found", "owns_draft", "resource_missing"})
	if n := len(s.shelf.visits("DELETE", "plan")); n != 1 {
		t.Errorf("%d deletions came through, want 1", n)
	}
}

// A resource that is not there, or not for this user, is answered 404; one that nobody can tell anything about 503, without a try at the upstream.
func TestAResourceThatCannotBeLookedUp(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	b := s.signedIn("olga")
	for _, gone := range []string{"404", "410", "403"} {
		s.shelf.put("gone"+gone, gone)
		s.refusedOnce(s.sends(b, "DELETE", "/documents/gone"+gone), 404, refusal{"not_found", "owns_draft", "resource_missing"})
	}
	nobodyKnows := refusal{"rules_unavailable", "owns_draft", "resource_unavailable"}
	s.shelf.put("late", "hang")
	s.refusedOnce(s.sends(b, "GET", "/documents-soon/late"), 503, nobodyKnows)
	for name, doc := range map[string]string{
		"500": "500", "503": "503", "401": "401", "redirect": "302", "list": `[{"owner":"olga","state":"draft"}]`, "text": `"draft"`, "half": `{"owner":"olga","state":"draft"`,
		"two": `{"owner":"olga","state":"draft"}{}`, "twice": `{"owner":"otto","owner":"olga","state":"draft"}`, "large": `{"owner":"olga","state":"draft","x":"` + strings.Repeat("x", 2000) + `"}`,
	} {
		s.shelf.put("bad-"+name, doc)
		a := s.sends(b, "DELETE", "/documents/bad-"+name)
		s.refusedOnce(a, 503, nobodyKnows)
		if a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", name)
		}
		if n := len(s.shelf.visits("DELETE", "bad-"+name)); n != 0 {
			t.Errorf("%s: came through", name)
		}
	}
}

// AUZ-08, AUZ-02: the look-up has the user's own token, the same as the request that it is for, and both are about the same document however the path is written.
func TestTheLookUpIsTheUsersOwn(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	users := map[string]string{} // by the token's thumbprint
	for _, sub := range []string{"una", "ugo"} {
		b := s.signedIn(sub)
		s.shelf.put("own-"+sub, fmt.Sprintf(`{"owner":%q,"state":"draft"}`, sub))
		s.fetch(b, "DELETE", "/documents/own-"+sub, 200)
		asked, acted := s.shelf.visits("GET", "own-"+sub), s.shelf.visits("DELETE", "own-"+sub)
		if len(asked) != 1 || len(acted) != 1 || asked[0].token == "" || asked[0].token != acted[0].token {
			t.Fatalf("%s: asked %v, acted %v", sub, asked, acted)
		}
		users[asked[0].token] = sub
	}
	given, err := s.Provider.Asked(s.ctx, "/token", "authorization_code")
	s.check(err)
	for _, g := range given {
		if sub := users[g.GivenAccess]; sub != "" && sub != g.Sub {
			t.Errorf("the look-up for %s had a token of %s", sub, g.Sub)
		}
		if users[g.GivenAccess] != "" {
			delete(users, g.GivenAccess)
		}
	}
	if len(users) != 0 {
		t.Errorf("tokens that no user was given: %v", users)
	}
	s.tricks(s.signedIn("una"))
}

// tricks are ways to write a path by which the look-up might be about una's draft, and the deletion about another document.
func (s *rules) tricks(b *browse.Browser) {
	s.Helper()
	s.shelf.put("mine", `{"owner":"una","state":"draft"}`)
	s.shelf.put("theirs", `{"owner":"ugo","state":"draft"}`)
	for _, path := range []string{
		"/documents/mine/../theirs", "/documents/mine%2f..%2ftheirs", "/documents/mine%2F..%2Ftheirs", "/documents/mine/%2e%2e/theirs", "/documents//theirs", "/documents/mine;/../theirs",
		"/documents/mine%00", "/documents/mine%5c..%5ctheirs", "/DOCUMENTS/theirs", "/documents/theirs/", "/documents/theirs%3fmine", "/documents/theirs?id=mine", "/documents/theirs%23mine", "/documents/%74heirs",
		"/documents/mine%252f..%252ftheirs",
	} {
		if a := s.sends(b, "DELETE", path, "X-Original-Url: /documents/mine", "X-Rewrite-Url: /documents/mine"); a.Status < 400 {
			s.Errorf("%s: %d", path, a.Status)
		}
	}
	for _, override := range []string{"X-Http-Method-Override: DELETE", "X-Http-Method: DELETE", "X-Method-Override: DELETE"} {
		if a := s.sends(b, "POST", "/documents/theirs?_method=DELETE", override); a.Status != 405 {
			s.Errorf("POST with %s: %d", override, a.Status)
		}
		s.get(b, "/documents/theirs?"+url.QueryEscape(override), 200)
	}
	s.fetch(b, "delete", "/documents/theirs", 405)
	if n := len(s.shelf.visits("DELETE", "theirs")); n != 0 {
		s.Errorf("%d deletions of another's document", n)
	}
}

// AUZ-08: the look-up for a caller without a session has nobody's token: neither this server's nor the caller's key, and a caller's token only as the request that it is for.
func TestTheLookUpForACaller(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	s.shelf.put("public", `{"public":true}`)
	s.shelf.put("secret", `{"public":false}`)
	key, token := s.newKey(), s.issuers.first.sign(nil)
	for _, credential := range []string{"X-API-Key: " + key, "Authorization: Bearer " + token} {
		if a := s.program(0, "GET", "/documents-of-all/public", credential); a.Status != 200 {
			t.Errorf("%d\n%s", a.Status, s.brief(a))
		}
		s.refusedOnce(s.program(0, "GET", "/documents-of-all/secret", credential), 403, refusal{"forbidden", "when", "when_false"})
	}
	for i, v := range s.shelf.visits("GET", "public") {
		if want := []string{"", "", "", up.Thumbprint(token)}[i]; v.token != want && !(i == 2 && v.token == up.Thumbprint(token)) {
			t.Errorf("request %d had a token: %q", i, v.token)
		}
	}
}

// What is remembered of a resource is remembered for one user, and not for longer than it says; without a cache each request asks.
func TestALookUpIsRememberedForOneUser(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	owner, other := s.at(s.signedIn("rita"), 0), s.at(s.signedIn("rolf"), 0)
	s.shelf.put("known", `{"owner":"rita","state":"draft"}`)
	s.get(owner, "/documents-known/known", 200)
	s.shelf.put("known", `{"owner":"rolf","state":"draft"}`)
	s.get(owner, "/documents-known/known", 200) // as it was
	s.get(other, "/documents-known/known", 200) // as it is: another's view is no view of mine
	again := s.at(s.signedIn("rita"), 0)        // nor is that of another session
	s.get(again, "/documents-known/known", 403)
	s.get(s.at(owner, 1), "/documents-known/known", 403)
	lookups := 0
	for _, v := range s.shelf.visits("GET", "known") {
		if v.token != "" {
			lookups++
		}
	}
	if lookups != 7 { // 4 look-ups, 3 requests
		t.Errorf("the shelf was asked %d times, want 7", lookups)
	}
}

// Cheap before expensive: who is refused by what memory can tell costs no look-up, and learns nothing of what is there.
func TestNoLookUpForWhomRolesRefuse(t *testing.T) {
	t.Parallel()
	s := onRules(t)
	b := s.signedIn("nina")
	s.shelf.put("unseen", `{"owner":"nina","state":"draft"}`)
	want := refusal{"forbidden", "roles", "role_missing"}
	s.refusedOnce(s.sends(b, "GET", "/documents-of-editors/unseen"), 403, want)
	s.refusedOnce(s.sends(b, "GET", "/documents-of-editors/nowhere"), 403, want)
	if n := len(s.shelf.visits("GET", "unseen")); n != 0 {
		t.Errorf("%d look-ups", n)
	}
}
