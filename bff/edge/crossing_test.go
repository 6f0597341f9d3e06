package edge_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"cloakroom/bff/edge"
)

var own = edge.Origin{Scheme: "https", Host: "app.example.com"}

// CSRF-01, CSRF-02, CSRF-03, CSRF-04, CSRF-09
func TestRequestMustComeFromThisOrigin(t *testing.T) {
	strict, safe, pages, shared := edge.CrossSiteRule{}, edge.CrossSiteRule{WithoutMetadataSafe: true}, edge.CrossSiteRule{CrossSiteNavigation: true}, edge.CrossSiteRule{Shared: true}
	const ours = "https://app.example.com"
	for _, tt := range []struct {
		name   string
		c      edge.Crossing
		rule   edge.CrossSiteRule
		ok     bool
		reason string
	}{
		{"own script reads", edge.Crossing{Method: "GET", Site: "same-origin", Mode: "cors", Dest: "empty"}, strict, true, "same_origin"},
		{"own script writes", edge.Crossing{Method: "POST", Site: "same-origin", Origin: ours}, strict, true, "same_origin"},
		{"own form under no-referrer", edge.Crossing{Method: "POST", Site: "same-origin", Origin: "null"}, strict, true, "same_origin"},
		{"own metadata with a foreign origin", edge.Crossing{Method: "POST", Site: "same-origin", Origin: "https://evil.example"}, strict, false, "origin_contradicts_metadata"},
		{"typed address", edge.Crossing{Method: "GET", Site: "none", Mode: "navigate", Dest: "document"}, strict, true, "user_navigation"},
		{"HEAD of a typed address", edge.Crossing{Method: "HEAD", Site: "none", Mode: "navigate"}, strict, true, "user_navigation"},
		{"POST of nobody", edge.Crossing{Method: "POST", Site: "none", Mode: "navigate"}, strict, false, "none_not_a_navigation"},
		{"an extension's fetch", edge.Crossing{Method: "GET", Site: "none", Mode: "cors"}, strict, false, "none_not_a_navigation"},
		{"a navigation of nobody with an origin", edge.Crossing{Method: "GET", Site: "none", Mode: "navigate", Origin: "null"}, strict, false, "none_not_a_navigation"},
		{"a sibling host reads", edge.Crossing{Method: "GET", Site: "same-site", Mode: "cors"}, strict, false, "same_site"},
		{"a sibling host writes", edge.Crossing{Method: "POST", Site: "same-site", Origin: "https://x.example.com"}, strict, false, "same_site"},
		{"another site reads", edge.Crossing{Method: "GET", Site: "cross-site", Mode: "no-cors", Dest: "script"}, strict, false, "cross_site"},
		{"another site's preflight", edge.Crossing{Method: "OPTIONS", Site: "cross-site", Mode: "cors", Origin: "https://evil.example"}, strict, false, "cross_site"},
		{"another site with the header", edge.Crossing{Method: "POST", Site: "cross-site", CSRF: "1"}, strict, false, "cross_site"},
		{"another site with our origin", edge.Crossing{Method: "POST", Site: "cross-site", Origin: ours}, strict, false, "cross_site"},
		{"metadata that no browser sends", edge.Crossing{Method: "GET", Site: "Same-Origin"}, strict, false, "unknown_site"},
		{"two answers about the site", edge.Crossing{Method: "GET", Site: "(same-origin, cross-site)"}, strict, false, "unknown_site"},

		{"old browser's own request", edge.Crossing{Method: "POST", Origin: ours}, strict, true, "own_origin"},
		{"wrong scheme", edge.Crossing{Method: "POST", Origin: "http://app.example.com"}, strict, false, "foreign_origin"},
		{"wrong port", edge.Crossing{Method: "POST", Origin: ours + ":8443"}, strict, false, "foreign_origin"},
		{"longer host", edge.Crossing{Method: "POST", Origin: ours + ".evil.example"}, strict, false, "foreign_origin"},
		{"our host as user name", edge.Crossing{Method: "POST", Origin: ours + "@evil.example"}, strict, false, "foreign_origin"},
		{"sandboxed", edge.Crossing{Method: "POST", Origin: "null"}, strict, false, "null_origin"},
		{"sandboxed, with the header", edge.Crossing{Method: "POST", Origin: "null", CSRF: "1"}, strict, false, "null_origin"},
		{"two origins", edge.Crossing{Method: "POST", Origin: "(" + ours + ", " + ours + ")"}, strict, false, "foreign_origin"},

		{"neither, with the header", edge.Crossing{Method: "POST", CSRF: "1"}, strict, true, "csrf_header"},
		{"neither, with another value", edge.Crossing{Method: "POST", CSRF: "0"}, strict, false, "no_evidence"},
		{"neither, POST", edge.Crossing{Method: "POST"}, strict, false, "no_evidence"},
		{"neither, GET", edge.Crossing{Method: "GET"}, strict, false, "no_evidence"},
		{"old web view reads, route says safe", edge.Crossing{Method: "GET"}, safe, true, "safe_without_metadata"},
		{"old web view asks for HEAD, route says safe", edge.Crossing{Method: "HEAD"}, safe, true, "safe_without_metadata"},
		{"old web view writes, route says safe", edge.Crossing{Method: "POST"}, safe, false, "no_evidence"},
		{"OPTIONS, route says safe", edge.Crossing{Method: "OPTIONS"}, safe, false, "no_evidence"},
		{"another site reads, route says safe", edge.Crossing{Method: "GET", Site: "cross-site"}, safe, false, "cross_site"},
		{"foreign origin reads, route says safe", edge.Crossing{Method: "GET", Origin: "https://evil.example"}, safe, false, "foreign_origin"},
		{"half of the metadata, route says safe", edge.Crossing{Method: "GET", Mode: "no-cors", Dest: "image"}, safe, false, "no_evidence"},

		{"link to a page", edge.Crossing{Method: "GET", Site: "cross-site", Mode: "navigate", Dest: "document"}, pages, true, "cross_site_navigation"},
		{"link to a page, sibling", edge.Crossing{Method: "GET", Site: "same-site", Mode: "navigate", Dest: "document"}, pages, true, "cross_site_navigation"},
		{"link to no page", edge.Crossing{Method: "GET", Site: "cross-site", Mode: "navigate", Dest: "document"}, strict, false, "cross_site"},
		{"frame of a page", edge.Crossing{Method: "GET", Site: "cross-site", Mode: "navigate", Dest: "iframe"}, pages, false, "cross_site"},
		{"form to a page", edge.Crossing{Method: "POST", Site: "cross-site", Mode: "navigate", Dest: "document"}, pages, false, "cross_site"},
		{"script of a page", edge.Crossing{Method: "GET", Site: "cross-site", Mode: "no-cors", Dest: "script"}, pages, false, "cross_site"},

		{"script of a sibling that the route names", edge.Crossing{Method: "POST", Site: "same-site", Mode: "cors", Origin: "https://admin.example.com"}, shared, true, "shared_origin"},
		{"the same in an old browser", edge.Crossing{Method: "POST", Origin: "https://admin.example.com"}, shared, true, "shared_origin"},
		{"form of a sibling that the route names", edge.Crossing{Method: "POST", Site: "same-site", Mode: "navigate", Dest: "document", Origin: "https://admin.example.com"}, shared, false, "same_site"},
		{"script of a sibling that cannot read", edge.Crossing{Method: "POST", Site: "same-site", Mode: "no-cors", Origin: "https://admin.example.com"}, shared, false, "same_site"},
		{"half of the metadata, of a sibling", edge.Crossing{Method: "POST", Mode: "no-cors", Origin: "https://admin.example.com"}, shared, false, "foreign_origin"},
		{"another site that the route names", edge.Crossing{Method: "GET", Site: "cross-site", Mode: "cors", Origin: "https://partner.example"}, shared, false, "cross_site"},
		{"WebSocket of a sibling that the route names", edge.Crossing{Method: "GET", Upgrade: true, Site: "same-site", Origin: "https://admin.example.com"}, shared, false, "upgrade_cross_site"},

		{"own WebSocket", edge.Crossing{Method: "GET", Upgrade: true, Origin: ours}, strict, true, "upgrade_own_origin"},
		{"own WebSocket, with metadata", edge.Crossing{Method: "GET", Upgrade: true, Origin: ours, Site: "same-origin"}, strict, true, "upgrade_own_origin"},
		{"foreign WebSocket", edge.Crossing{Method: "GET", Upgrade: true, Origin: "https://evil.example"}, strict, false, "upgrade_foreign_origin"},
		{"sandboxed WebSocket", edge.Crossing{Method: "GET", Upgrade: true, Origin: "null", Site: "same-origin"}, strict, false, "upgrade_foreign_origin"},
		{"WebSocket without origin", edge.Crossing{Method: "GET", Upgrade: true, Site: "same-origin", CSRF: "1"}, safe, false, "upgrade_foreign_origin"},
		{"WebSocket from another site", edge.Crossing{Method: "GET", Upgrade: true, Site: "cross-site", Origin: ours}, pages, false, "upgrade_cross_site"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if ok, reason := edge.SameOrigin(tt.c, own, tt.rule); ok != tt.ok || reason != tt.reason {
				t.Errorf("SameOrigin(%+v, %+v) = %v, %q; want %v, %q", tt.c, tt.rule, ok, reason, tt.ok, tt.reason)
			}
		})
	}
}

// CSRF-01, CSRF-02, CSRF-03, CSRF-04 as a matrix. The expectation is written here a second time, as
// the sentence of the contract, and compared for every combination.
func TestEveryMethodNeedsEvidence(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"} {
		for _, site := range []string{"", "none", "same-origin", "same-site", "cross-site", "nonsense"} {
			for _, mode := range []string{"", "navigate", "cors", "no-cors", "websocket"} {
				for _, origin := range []string{"", "null", "https://app.example.com", "http://app.example.com", "https://app.example.com:444", "https://evil.example"} {
					for _, csrf := range []string{"", "1", "true"} {
						c := edge.Crossing{Method: method, Site: site, Mode: mode, Origin: origin, CSRF: csrf}
						ours := origin == "https://app.example.com"
						want := site == "same-origin" && (origin == "" || origin == "null" || ours) ||
							site == "none" && mode == "navigate" && (method == "GET" || method == "HEAD") && origin == "" ||
							site == "" && ours ||
							site == "" && origin == "" && csrf == "1"
						if ok, reason := edge.SameOrigin(c, own, edge.CrossSiteRule{}); ok != want {
							t.Errorf("SameOrigin(%+v) = %v (%s), want %v", c, ok, reason, want)
						}
					}
				}
			}
		}
	}
}

// CSRF-05: the body's type plays no part, so what needs no preflight is refused like the rest.
func TestSimpleRequestsAreRefused(t *testing.T) {
	for _, contentType := range []string{"text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "application/json", ""} {
		for _, header := range []http.Header{
			{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}}, {"Origin": {"null"}}, {},
			{"Sec-Fetch-Site": {"same-origin", "same-origin"}}, {"Origin": {own.String(), own.String()}}, {"X-Csrf": {"1", "1"}}, {"Sec-Fetch-Site": {""}}, {"Origin": {""}},
			{"Sec-Fetch-Site": {""}, "X-Csrf": {"1"}}, {"Origin": {""}, "X-Csrf": {"1"}},
		} {
			r := &http.Request{Method: "POST", Header: header.Clone()}
			if contentType != "" {
				r.Header.Set("Content-Type", contentType)
			}
			if ok, reason := edge.SameOrigin(edge.CrossingOf(r), own, edge.CrossSiteRule{WithoutMetadataSafe: true, CrossSiteNavigation: true}); ok {
				t.Errorf("POST of %q with %v is let through (%s)", contentType, header, reason)
			}
		}
	}
}

// CSRF-08
func TestVaryNamesAllThatDecides(t *testing.T) {
	for _, name := range []string{"Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Origin", "X-CSRF"} {
		if !slices.Contains(strings.Split(edge.VaryCrossing, ", "), name) {
			t.Errorf("VaryCrossing = %q, without %s", edge.VaryCrossing, name)
		}
	}
}

// CSRF-01, CSRF-02, CSRF-03: whatever is accepted showed that it is ours.
func FuzzSameOrigin(f *testing.F) {
	f.Add("GET", "same-origin", "cors", "empty", "", "", false, false, false, false)
	f.Add("POST", "", "", "", "https://app.example.com", "1", false, true, true, false)
	f.Add("GET", "cross-site", "navigate", "document", "null", "", true, true, true, true)
	f.Fuzz(func(t *testing.T, method, site, mode, dest, origin, csrf string, upgrade, safe, pages, shared bool) {
		c := edge.Crossing{Method: method, Site: site, Mode: mode, Dest: dest, Origin: origin, CSRF: csrf, Upgrade: upgrade}
		ok, reason := edge.SameOrigin(c, own, edge.CrossSiteRule{WithoutMetadataSafe: safe, CrossSiteNavigation: pages, Shared: shared})
		if reason == "" {
			t.Fatalf("SameOrigin(%+v) gives no reason", c)
		}
		if !ok {
			return
		}
		reads := method == "GET" || method == "HEAD"
		evidence := origin == "https://app.example.com" && (site == "" || site == "same-origin") ||
			!upgrade && site == "same-origin" ||
			!upgrade && site == "none" && mode == "navigate" && reads ||
			!upgrade && site == "" && origin == "" && csrf == "1" ||
			!upgrade && safe && site == "" && origin == "" && reads ||
			!upgrade && shared && (site == "same-site" && mode == "cors" || site == "" && origin != "" && (mode == "" || mode == "cors")) ||
			!upgrade && pages && method == "GET" && mode == "navigate" && dest == "document"
		if !evidence {
			t.Fatalf("SameOrigin(%+v) accepts (%s) without evidence", c, reason)
		}
	})
}
