package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"cloakroom/e2e/browse"
)

// composedFiles are of a team whose pages need several APIs.
func (p *places) composedFiles() map[string]string {
	return map[string]string{"teams/pages.yaml": fmt.Sprintf(`upstreams:
  parts: {url: %[1]q}
routes:
  - path: /home/{id}
    compose:
      me:     {url: "%[1]s/parts/me/json"}
      orders: {upstream: parts, path: '/parts/orders/{id}/json?limit=5', query: [page]}
      rates:  {url: "%[1]s/parts/rates/json", token: none, optional: true, headers: {X-Api-Version: "2"}}
      ours:   {url: "%[1]s/parts/ours/json", token: client}
      sick:   {url: "%[1]s/parts/status/503", optional: true}
      gone:   {url: "http://127.0.0.1:1/parts", optional: true, timeout: 300ms}
    shapes:
      web: '{who: $user.sub, id: $path.id, page: $query.page, first: .orders.items[0].total, n: (.rates.items | length), sick, gone}'
      mobile: '[.orders.items[] | {id}]'
    shape_by: {header: X-Client, query: client, default: web}
  - path: /together
    compose:
      a: {url: "%[1]s/together/a/hold"}
      b: {url: "%[1]s/together/b/hold"}
      c: {url: "%[1]s/together/c/hold"}
  - path: /refused
    compose:
      whole: {url: "%[1]s/refused/json"}
      lost: {url: "%[1]s/refused/status/404"}
  - path: /failed
    compose:
      lost: {url: "%[1]s/failed/abort"}
`, p.echo.URL)}
}

// One answer of several upstreams' parts: in two shapes, without the optional parts that failed, and each part with its own token.
func TestAComposedAnswer(t *testing.T) {
	t.Parallel()
	s := onTeams(t)
	b := s.signedIn("anna")
	web := s.get(b, "/home/7?page=2&extra=1", 200)
	if want := `{"first":"12.50","gone":null,"id":"7","n":2,"page":"2","sick":null,"who":"anna"}`; web.Body != want {
		t.Errorf("got %s\nwant %s", web.Body, want)
	}
	if got := web.Header.Get("X-Cloakroom-Partial"); got != "gone, sick" {
		t.Errorf("parts missing: %q", got)
	}
	if got := web.Header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		t.Errorf("Cache-Control %q", got)
	}
	for _, header := range []string{"X-Client: mobile", "X-Client: "} {
		path := "/home/7"
		if header == "X-Client: " {
			path += "?client=mobile"
		}
		if a := s.fetch(b, "GET", path, 200, header); a.Body != `[{"id":1},{"id":2}]` {
			t.Errorf("%s %s: %s", path, header, a.Body)
		}
	}
	s.fetch(b, "GET", "/home/7", 400, "X-Client: tv")
	s.get(b, "/home/7%2F..%2F8", 400)
	s.fetch(b, "POST", "/home/7", 405)
	s.get(s.browser(), "/home/7", 401)
	if len(reached(s.echo, "/parts/orders/7/json?limit=5&page=2")) != 1 || len(reached(s.echo, "extra")) != 0 {
		t.Error("a leg was asked for something else than it declares")
	}
	s.legsTokens(b)
}

// legsTokens demands that each part was asked for with its own token, and none with a cookie.
func (s *teams) legsTokens(b *browse.Browser) {
	s.Helper()
	bearer := func(part string) (tokens []string) {
		for _, r := range reached(s.echo, part) {
			tokens = append(tokens, r.Bearer())
			if r.Values("Cookie") != nil {
				s.Errorf("%s got a cookie", part)
			}
		}
		return tokens
	}
	s.get(b, "/api/anna", 200)
	own := bearer("/api/anna")[0]
	for part, want := range map[string]string{"/parts/me/json": own, "/parts/orders/7/json": own, "/parts/rates/json": ""} {
		for _, got := range bearer(part) {
			if got != want {
				s.Errorf("%s was asked with another token than its own", part)
			}
		}
	}
	for _, got := range bearer("/parts/ours/json") {
		if got == "" || got == own {
			s.Error("the machine's part was asked with the user's token, or none")
		}
	}
	for _, r := range reached(s.echo, "/parts/rates/json") {
		if v := r.Values("X-Api-Version"); len(v) != 1 || v[0] != "2" {
			s.Errorf("the leg's own header is %q", v)
		}
	}
}

// All parts are under way at the same time: none is answered before all have arrived.
func TestPartsAreAskedForInParallel(t *testing.T) {
	t.Parallel()
	s := onTeams(t)
	b := s.signedIn("bert")
	gate := s.echo.Hold("hold")
	var wg sync.WaitGroup
	defer wg.Wait()
	defer gate.Release()
	wg.Go(func() {
		a, err := b.Fetch(s.ctx, "GET", "/together", "")
		if err != nil || a.Status != 200 || strings.Count(a.Body, `"Target"`) != 3 {
			t.Errorf("%v %+v", err, a)
		}
	})
	for range 3 {
		select {
		case <-gate.Arrived():
		case <-s.ctx.Done():
			t.Fatal("not all parts are asked for at the same time")
		}
	}
}

// A required part that fails is the answer: its own refusal, or a bad gateway that names the part and not the host.
func TestARequiredPartThatFails(t *testing.T) {
	t.Parallel()
	s := onTeams(t)
	b := s.signedIn("carl")
	s.problem(s.get(b, "/refused", 404), "leg_refused")
	failed := s.get(b, "/failed", 502)
	s.problem(failed, "leg_failed")
	if host := strings.TrimPrefix(s.echo.URL, "http://"); !strings.Contains(failed.Body, "lost") || strings.Contains(failed.Body+s.logged(failed.Header.Get("X-Request-Id")), host) {
		t.Errorf("the problem should name the part and not the host: %s%s", failed.Body, s.logged(failed.Header.Get("X-Request-Id")))
	}
	if len(reached(s.echo, "/failed/abort")) == 0 {
		t.Error("the part was not asked for")
	}
}
