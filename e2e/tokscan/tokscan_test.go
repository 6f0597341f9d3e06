package tokscan

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// The scanner is the judge of BBA-6.1-03, LOG-02 and SES-07; here it is judged itself: each form of a planted secret is found.
func TestAPlantedSecretIsFoundInEveryForm(t *testing.T) {
	const token = "s3cr3t/t0ken+with=odd?bytes>>~and-some_more"
	planted := map[string]string{
		"plain":                        token,
		"inside a JSON string":         `{"error":"bad token ` + token + `"}`,
		"query-escaped":                url.QueryEscape(token),
		"path-escaped":                 url.PathEscape(token),
		"every byte escaped":           escapeAll(token),
		"hex":                          hex.EncodeToString([]byte(token)),
		"upper-case hex":               strings.ToUpper(hex.EncodeToString([]byte(token))),
		"hex as Redis prints it":       escapedHex(token),
		"Basic credentials":            base64.StdEncoding.EncodeToString([]byte("client:" + token)),
		"raw base64url":                base64.RawURLEncoding.EncodeToString([]byte(token)),
		"base64url inside JSON inside": base64.URLEncoding.EncodeToString([]byte(`{"t":"` + token + `","x":1}`)),
	}
	for before := range 7 {
		for after := range 4 {
			data := []byte(strings.Repeat("<", before) + token + strings.Repeat(">", after))
			planted[fmt.Sprintf("base64 with %d bytes before and %d after", before, after)] = base64.StdEncoding.EncodeToString(data)
			planted[fmt.Sprintf("base64url with %d bytes before and %d after", before, after)] = base64.URLEncoding.EncodeToString(data)
		}
	}
	for name, text := range planted {
		t.Run(name, func(t *testing.T) {
			c := New()
			c.Learn("refresh token", token)
			c.See(Answer, "GET /x", []byte("some text before "+text+" and after"))
			if found := c.Scan(); len(found) == 0 {
				t.Errorf("not found in %q", text)
			}
		})
	}
}

func TestWhatIsNotASecretIsNotFound(t *testing.T) {
	c := New()
	c.Learn("refresh token", "s3cr3t-t0ken-of-alice")
	c.Learn("too short to search for", "alice")
	c.See(Answer, "GET /x", []byte("alice has s3cr3t-t0ken-of-bob and c3Mzcg=="))
	if found := c.Scan(); len(found) != 0 {
		t.Errorf("found %v", found)
	}
}

func TestASecretLearntLaterIsFoundInWhatWasSeenBefore(t *testing.T) {
	c := New()
	c.See(Log, "replica 1", []byte(`{"msg":"refreshed","token":"s3cr3t-t0ken-of-alice"}`))
	c.Learn("access token", "s3cr3t-t0ken-of-alice")
	if found := c.Scan(); len(found) != 1 || found[0].Kind != "access token" || found[0].Source != Log {
		t.Errorf("found %v, want one access token in the log", found)
	}
}

func TestAStateMayBeSeenByItsBrowserButNotInTheLog(t *testing.T) {
	c := New()
	c.Learn("state", "some-random-state", Answer, Page)
	c.See(Answer, "GET /bff/login", []byte("Location: https://id/auth?state=some-random-state"))
	if found := c.Scan(); len(found) != 0 {
		t.Errorf("in an answer: found %v, want nothing", found)
	}
	c.See(Log, "replica 1", []byte("state=some-random-state"))
	if found := c.Scan(); len(found) != 1 {
		t.Errorf("in the log: found %v, want one", found)
	}
}

func TestPartsOfATokenAndUnknownTokensAreFound(t *testing.T) {
	const token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSIsIm5hbWUiOiJBIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
	c := New()
	c.Learn("ID token", token)
	c.See(Log, "payload alone", []byte("claims=eyJzdWIiOiJhbGljZSIsIm5hbWUiOiJBIn0"))
	c.See(Log, "signature alone", []byte("sig=c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"))
	c.See(Answer, "a token that nobody knew", []byte("hint=eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJib2IifQ.xyz"))
	for i, f := range c.Scan() {
		t.Log(i, f)
	}
	if found := c.Scan(); len(found) != 3 {
		t.Errorf("found %d, want 3", len(found))
	}
}

func TestAFindingDoesNotRepeatTheSecret(t *testing.T) {
	c := New()
	c.Learn("ticket", "0123456789abcdef")
	c.See(Store, "GET 0123", []byte("0123456789abcdef"))
	for _, f := range c.Scan() {
		if strings.Contains(f.String(), "0123456789abcdef") {
			t.Errorf("%s", f)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	c := New()
	for i := range 1000 {
		c.Learn("access token", fmt.Sprintf("%032d-token", i))
	}
	c.See(Log, "much", []byte(strings.Repeat(`{"time":"2026-11-23T10:00:00Z","msg":"request","id":"abcdef"}`, 20000)))
	for b.Loop() {
		c.Scan()
	}
}
