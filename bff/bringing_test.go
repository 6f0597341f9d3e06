package bff

import (
	"net/http"
	"strings"
	"testing"

	"cloakroom/bff/edge"
	"cloakroom/bff/inbound"
	"cloakroom/configs"
	"cloakroom/proxy"
)

// AUN-01, CSRF-01, CSRF-02: a session and a credential are two identities. What browsers send by themselves counts only where no other site's page can have made them.
func TestWhatACredentialMayComeWith(t *testing.T) {
	own, err := edge.ParseOrigin("https://app.example.com")
	if err != nil {
		t.Fatal(err)
	}
	partner := edge.Crossing{Site: "same-site", Mode: "cors", Origin: "https://partner.example.com", Method: "POST"}
	form := partner
	form.Mode, form.Dest = "navigate", "document"
	for name, c := range map[string]struct {
		kind           string
		auth           string
		c              edge.Crossing
		shared, cookie bool
		want           bringing
	}{
		"a program":                            {inbound.KindBasic, "required", edge.Crossing{Method: "POST"}, false, false, bringsOne},
		"a script of ours":                     {inbound.KindBasic, "required", edge.Crossing{Site: "same-origin", Mode: "cors", Origin: "https://app.example.com", Method: "POST"}, false, false, bringsOne},
		"a form of another site":               {inbound.KindBasic, "required", edge.Crossing{Site: "cross-site", Mode: "navigate", Origin: "https://evil.test", Method: "POST"}, false, false, bringsFromElsewhere},
		"the same in an old browser":           {inbound.KindCertificate, "required", edge.Crossing{Origin: "https://evil.test", Method: "POST"}, false, false, bringsFromElsewhere},
		"an image in another site":             {inbound.KindCertificate, "none", edge.Crossing{Site: "cross-site", Mode: "no-cors", Method: "GET"}, false, false, bringsFromElsewhere},
		"another scheme":                       {inbound.KindBasic, "required", edge.Crossing{Origin: "http://app.example.com", Method: "POST"}, false, false, bringsFromElsewhere},
		"a sandboxed frame":                    {inbound.KindBasic, "required", edge.Crossing{Site: "cross-site", Origin: "null", Method: "POST"}, false, false, bringsFromElsewhere},
		"a socket of another site":             {inbound.KindBasic, "required", edge.Crossing{Origin: "https://evil.test", Method: "GET", Upgrade: true}, false, false, bringsFromElsewhere},
		"a script of an origin that is shared": {inbound.KindBasic, "required", partner, true, false, bringsOne},
		"a form of an origin that is shared":   {inbound.KindBasic, "required", form, true, false, bringsFromElsewhere},
		"a key, which no form can bring":       {inbound.KindAPIKey, "required", edge.Crossing{Site: "cross-site", Mode: "cors", Origin: "https://evil.test", Method: "POST"}, false, false, bringsOne},
		"a key and a session":                  {inbound.KindAPIKey, "optional", edge.Crossing{Method: "GET"}, false, true, bringsTwo},
		"a key where no session is read":       {inbound.KindAPIKey, "none", edge.Crossing{Method: "GET"}, false, true, bringsOne},
	} {
		if got := mayBring(c.kind, &proxy.Config{Auth: c.auth}, c.c, own, c.shared, c.cookie); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// Law 6: an answer that depends on who brings what says so, to caches before and behind; one to a caller is kept by none.
func TestAnswersToCallersAreNotMixed(t *testing.T) {
	h := newHouse(t, together(
		func(c *configs.Config) { c.Callers.APIKey = inbound.APIKey{Header: "X-API-Key"} },
		guarded("/either/", func(r *configs.Route) { r.Auth, r.Callers = "optional", []string{"api_key"} }),
		guarded("/open/", func(r *configs.Route) { r.Auth, r.Callers = "none", []string{"api_key"} }),
	))
	key, _ := h.newKey(APIKey{Name: "importer"})
	for _, path := range []string{"/either/x", "/open/x"} {
		for name, headers := range map[string][]string{"a caller": {"X-API-Key", key}, "nobody": nil} {
			res := h.browser().do("GET", path, nil, headers...)
			vary := strings.Join(res.Header["Vary"], ", ")
			if res.StatusCode != http.StatusOK || !strings.Contains(vary, "X-Api-Key") || !strings.Contains(vary, "Authorization") {
				t.Errorf("%s at %s: %d, Vary %q", name, path, res.StatusCode, vary)
			}
			if headers != nil && res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s at %s: %q", name, path, res.Header.Get("Cache-Control"))
			}
		}
	}
	if vary := h.browser().do("GET", "/public/x", nil).Header["Vary"]; len(vary) != 0 {
		t.Errorf("where no caller is known: %q", vary)
	}
}

// RL-06: a sign-in that begins at a page counts as one that begins at its own address.
func TestSignInsThatBeginAtAPageAreLimited(t *testing.T) {
	h := newHouse(t, func(c *configs.Config) { c.Limits.Login.Rate, c.Limits.Login.Burst = "2/1h", 2 })
	b := h.browser()
	for i, want := range []struct {
		path   string
		status int
	}{{"/api/x", 303}, {"/bff/login", 303}, {"/pages/x", 429}, {"/bff/login", 429}} {
		if res := b.visit(want.path, "none"); res.StatusCode != want.status {
			t.Errorf("sign-in %d: %d, want %d", i, res.StatusCode, want.status)
		}
	}
}

// AUN-07: of two no order decides, also where nobody brings any.
func TestTwoAuthorizationsAreRefusedEverywhere(t *testing.T) {
	h := newHouse(t, nil)
	for _, path := range []string{"/api/x", "/public/x", "/optional/x"} {
		if res := h.browser().fetch("GET", path, "Authorization", "Bearer a", "Authorization", "Bearer b"); res.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, res.StatusCode, res.body)
		}
	}
}
