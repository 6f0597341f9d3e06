package bff

import (
	"bufio"
	"net/url"
	"os"
	"strings"
	"testing"

	whatwg "github.com/nlnwa/whatwg-url/url"
)

// offOrigin reports where a browser on https://app.example would end up with location, if that is not app.example. The judge is a
// parser of the WHATWG's rules: net/url reads URLs by other rules than browsers do.
func offOrigin(t testing.TB, location string) (string, bool) {
	u, err := whatwg.NewParser().ParseRef("https://app.example/bff/callback", location)
	if err != nil {
		return "unreadable for a browser", true
	}
	return u.Href(false), u.Protocol() != "https:" || u.Host() != "app.example" || u.Username() != "" || u.Password() != ""
}

// variants are the forms in which a line of the corpus is tried: as it is, and encoded once and twice.
func variants(line string) []string {
	once := url.QueryEscape(line)
	decoded, err := url.QueryUnescape(line)
	if err != nil {
		decoded = line
	}
	return []string{line, decoded, once, url.QueryEscape(once), "/" + once, "/?next=" + once, "/#" + once}
}

// RED-01, RED-02, RED-05: whatever of the corpus is accepted, a browser stays here.
func TestReturnToStaysOnOurOrigin(t *testing.T) {
	f, err := os.Open("testdata/returnto.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	n, accepted := 0, 0
	for lines.Scan() {
		line := unescape(lines.Text())
		if line == "" || strings.HasPrefix(line, "! ") {
			continue
		}
		for _, raw := range variants(line) {
			n++
			got, reason := returnTo(raw)
			if reason != "" {
				continue
			}
			accepted++
			if where, off := offOrigin(t, got); off {
				t.Errorf("returnTo(%q) = %q, which leads to %s", raw, got, where)
			}
		}
		// No line of the corpus is a path of ours as it stands.
		if got, reason := returnTo(line); reason == "" {
			t.Errorf("returnTo(%q) = %q, want a refusal", line, got)
		}
	}
	if n < 500 || accepted == 0 {
		t.Errorf("tried %d forms, %d accepted: the corpus is not what it was", n, accepted)
	}
}

// unescape reads the corpus' notation of bytes that have no place in a text file.
func unescape(line string) string {
	return strings.NewReplacer(`\t`, "\t", `\r`, "\r", `\n`, "\n", `\0`, "\x00", `\v`, "\v", `\f`, "\f").Replace(line)
}

func TestReturnToAcceptsThePathsOfAnApp(t *testing.T) {
	for _, raw := range []string{
		"/", "/orders", "/orders/7", "/orders/?page=2&sort=-date", "/#/orders/7", "/a%20b", "/caf%C3%A9?q=%E2%82%AC#x",
		"/search?next=https://other.example/", "/~ada/", "/a:b@c", "/bffx", "/orders?a=b;c=d",
	} {
		if got, reason := returnTo(raw); reason != "" || got != raw {
			t.Errorf("returnTo(%q) = %q, %q; want it as it is", raw, got, reason)
		}
	}
	if got, reason := returnTo(""); got != "/" || reason != "" {
		t.Errorf("returnTo of nothing = %q, %q; want the start page", got, reason)
	}
}

// RED-04: a sign-in never ends on an endpoint of ours, in whatever spelling.
func TestReturnToRefusesOurOwnEndpoints(t *testing.T) {
	for _, raw := range []string{"/bff", "/bff/", "/bff/login", "/bff/logout?x", "/bff/callback#x", "/%62ff/logout", "/b%66f"} {
		if got, reason := returnTo(raw); reason == "" {
			t.Errorf("returnTo(%q) = %q, want a refusal", raw, got)
		}
	}
}

// RED-05
func TestReturnToIsBounded(t *testing.T) {
	if _, reason := returnTo("/" + strings.Repeat("a", maxReturnTo-1)); reason != "" {
		t.Errorf("the longest path was refused: %s", reason)
	}
	if _, reason := returnTo("/" + strings.Repeat("a", maxReturnTo)); reason == "" {
		t.Error("one byte more was accepted")
	}
}

// FuzzReturnTo: what is accepted keeps a browser on our origin, is accepted again, and has no byte that a header or a page could trip over.
func FuzzReturnTo(f *testing.F) {
	for _, s := range []string{"/", "//x", "/\\x", "/a?b#c", "/%2f%2fx", "/.//x", "/./\\x", "/a/..//x", "http:x", "/\tx", "/bff/login"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, reason := returnTo(raw)
		if reason != "" {
			return
		}
		if where, off := offOrigin(t, got); off {
			t.Fatalf("returnTo(%q) = %q leads to %s", raw, got, where)
		}
		if again, reason := returnTo(got); again != got || reason != "" {
			t.Fatalf("returnTo(%q) is not accepted again: %q, %q", got, again, reason)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }) {
			t.Fatalf("returnTo(%q) = %q has bytes that do not belong into a header", raw, got)
		}
	})
}
