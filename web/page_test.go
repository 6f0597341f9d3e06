package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// everyPage is each page once, with a request ID where it may have one.
func everyPage() map[string]PageData {
	return map[string]PageData{
		"problem": {Title: "Not found", Text: "There is nothing at this address.", RequestID: "0123456789abcdef",
			ActionURL: "/bff/login", ActionLabel: "Try again"},
		"explanation": {Title: "Not signed in", Text: "This needs a user.\n\nSign in first."},
		"cookie help": CookieHelp("/bff/login", "0123456789abcdef"),
		"sign out":    SignOut("/bff/logout", "/"),
		"bounce":      Bounce("/orders?a=1&b=2#third"),
	}
}

func render(t *testing.T, p PageData) string {
	t.Helper()
	var b bytes.Buffer
	if err := RenderPage(&b, p); err != nil {
		t.Fatalf("RenderPage(%q): %v", p.Title, err)
	}
	return b.String()
}

func TestEveryPage(t *testing.T) {
	for name, p := range everyPage() {
		t.Run(name, func(t *testing.T) {
			html := render(t, p)
			for _, want := range []string{
				`<html lang="en">`, `<main>`, `<h1>` + p.Title + `</h1>`, `<title>` + p.Title + `</title>`,
				`name="viewport"`, `name="color-scheme" content="light dark"`, p.RequestID,
			} {
				if !strings.Contains(html, want) {
					t.Errorf("page has no %q:\n%s", want, html)
				}
			}
			for _, foreign := range []string{"<script", " src=", "://", "style=", " onclick", "@import", "url(", "ZgotmplZ"} {
				if strings.Contains(html, foreign) {
					t.Errorf("page contains %q: it must load and run nothing, and its policy knows one style only:\n%s", foreign, html)
				}
			}
		})
	}
}

// HDR-05, HDR-06: the policy allows exactly the style that the page carries, and no framing.
func TestPagePolicyKnowsTheStyle(t *testing.T) {
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`)
	for name, p := range everyPage() {
		m := style.FindStringSubmatch(render(t, p))
		if m == nil {
			t.Fatalf("%s: no style element", name)
		}
		sum := sha256.Sum256([]byte(m[1]))
		want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
		if got := PageCSP("'self'"); got != want {
			t.Errorf("%s: PageCSP\n got %s\nwant %s", name, got, want)
		}
	}
	if got := PageCSP(""); !strings.Contains(got, "form-action 'none'") {
		t.Errorf("PageCSP of no form = %q, want form-action 'none'", got)
	}
}

func TestForeignTextIsEscaped(t *testing.T) {
	const evil = `"><script>alert(1)</script>`
	html := render(t, PageData{
		Lang: evil, Title: evil, Text: evil, RequestID: evil, ActionURL: "/?q=" + evil, ActionLabel: evil,
		Form: true, Hidden: map[string]string{evil: evil}, CancelURL: "/" + evil, CancelLabel: evil, RefreshURL: "/?" + evil,
	})
	if strings.Contains(html, "<script") || strings.Contains(html, `"><`+"script") {
		t.Errorf("foreign text came through as markup:\n%s", html)
	}
}

func TestURLsThatWouldRunAreRefused(t *testing.T) {
	for _, u := range []string{"javascript:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)", "data:text/html,x", "vbscript:x", "JAVASCRIPT:x"} {
		for name, p := range map[string]PageData{"action": {ActionURL: u}, "cancel": {CancelURL: u}, "refresh": {RefreshURL: u}} {
			var b bytes.Buffer
			if err := RenderPage(&b, p); err == nil {
				// A relative URL that merely looks odd may pass, but then as an inert one.
				if regexp.MustCompile(`(?i)(href|action)="\s*(javascript|data|vbscript):`).MatchString(b.String()) || strings.Contains(b.String(), "url="+u) {
					t.Errorf("%s URL %q was rendered:\n%s", name, u, b.String())
				}
			} else if b.Len() > 0 {
				t.Errorf("%s URL %q: refused, but %d bytes were written", name, u, b.Len())
			}
		}
	}
}

func TestBounceMovesOnByRefreshAndByAVisibleLink(t *testing.T) {
	html := render(t, Bounce(`/orders?a=1&b="x"#third`))
	for _, want := range []string{
		`<meta http-equiv="refresh" content="0;url=/orders?a=1&amp;b=&#34;x&#34;#third">`, // as it is, escaped once
		`<a class="button" href="/orders?a=1&amp;b=%22x%22#third">Continue</a>`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("bounce page has no %s:\n%s", want, html)
		}
	}
	if strings.Contains(render(t, SignOut("/", "/")), "http-equiv") {
		t.Error("a page without RefreshURL moves on")
	}
}

// RPL-01: signing out takes a POST, so the page has a form and no link that does it.
func TestSignOutPageAsksByPOST(t *testing.T) {
	p := SignOut("/bff/logout", "/orders")
	p.Hidden = map[string]string{"return_to": "/a&b"}
	html := render(t, p)
	for _, want := range []string{`<form method="post" action="/bff/logout">`, `<button type="submit">Sign out</button>`,
		`<input type="hidden" name="return_to" value="/a&amp;b">`, `href="/orders"`} {
		if !strings.Contains(html, want) {
			t.Errorf("sign-out page has no %s:\n%s", want, html)
		}
	}
	if strings.Contains(html, `href="/bff/logout`) {
		t.Errorf("sign-out page links to the endpoint:\n%s", html)
	}
}

// Text contrast is at least 4.5 to 1, in light and in dark (WCAG 2.2, 1.4.3).
func TestContrastIsAA(t *testing.T) {
	wantContrast(t, pageCSS, 4.5, [][2]string{{"ink", "card"}, {"soft", "card"}, {"on-accent", "accent"}, {"on-accent", "accent-deep"}, {"accent", "card"}})
}

// wantContrast checks pairs of a stylesheet's colours, in its light and in its dark scheme.
func wantContrast(t *testing.T, css string, want float64, pairs [][2]string) {
	t.Helper()
	schemes := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(css, -1)
	if len(schemes) != 2 {
		t.Fatalf("stylesheet has %d :root blocks, want light and dark", len(schemes))
	}
	for i, scheme := range schemes {
		colour := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]+)`).FindAllStringSubmatch(scheme[1], -1) {
			colour[m[1]] = m[2]
		}
		for _, pair := range pairs {
			if got := contrast(luminance(t, colour[pair[0]]), luminance(t, colour[pair[1]])); got < want {
				t.Errorf("scheme %d: %s on %s is %.2f to 1, want %v", i, pair[0], pair[1], got, want)
			}
		}
	}
}

func contrast(a, b float64) float64 { return (max(a, b) + .05) / (min(a, b) + .05) }

// luminance is the relative luminance of #rgb or #rrggbb.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	hex = strings.TrimPrefix(hex, "#")
	if len(hex) == 3 {
		hex = fmt.Sprintf("%c%[1]c%c%[2]c%c%[3]c", hex[0], hex[1], hex[2])
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil || len(hex) != 6 {
		t.Fatalf("colour %q: not #rgb or #rrggbb", hex)
	}
	linear := func(v uint64) float64 {
		c := float64(v&255) / 255
		if c <= .04045 {
			return c / 12.92
		}
		return math.Pow((c+.055)/1.055, 2.4)
	}
	return .2126*linear(n>>16) + .7152*linear(n>>8) + .0722*linear(n)
}
