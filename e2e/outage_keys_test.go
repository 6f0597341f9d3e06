package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
)

// keyCooldown is how long the server does not ask for keys again.
const keyCooldown = 10 * time.Second

// keyStory is a provider that signs with a new key while its published keys do not help.
type keyStory struct {
	*story
	name  string
	fault stack.Fault
	tell  func(*keyStory)

	alice, kate, other *browse.Browser
	callback           string
}

// A provider that signs with a new key, and whose published keys are away, come too late, or are others: nobody is let in or
// signed out on a token that nothing proves.
func TestProviderKeys(t *testing.T) {
	t.Parallel()
	stories := []*keyStory{
		{name: "down", fault: stack.Fault{Path: "/jwks", Times: 1000, Drop: true}, tell: keysAway},
		{name: "slow", fault: stack.Fault{Path: "/jwks", Times: 1000, Hold: "before"}, tell: keysAway},
		{name: "wrong", fault: stack.Fault{Path: "/jwks", Times: 1000, Status: 200, Body: foreignKeys(t)}, tell: keysWrong},
	}
	for _, k := range stories {
		k.story = onProvider(t)
		k.alice, k.kate, k.other = k.signedIn("alice"), k.signedIn("kate"), k.browser()
		k.callback = k.begin(k.other, "bob", "/public/x")
	}
	select { // once for all of them: their servers ask for keys again
	case <-time.After(keyCooldown):
	case <-stories[0].ctx.Done():
		t.Fatal("the keys are not asked for within the test's time")
	}
	for _, k := range stories {
		t.Run(k.name, func(t *testing.T) {
			k.story = &story{t, k.Stack, deadline(t)}
			k.check(k.Provider.RotateKeys(k.ctx))
			_, err := k.Provider.Break(k.ctx, k.fault)
			k.check(err)
			k.tell(k)
			k.check(k.Provider.Mend(k.ctx))
		})
	}
}

// logout lets the provider sign kate out and demands that the server answers with this status.
func (k *keyStory) logout(status string) {
	k.Helper()
	told, err := k.Provider.Logout(k.ctx, "kate")
	k.check(err)
	if len(told) != 1 || !strings.Contains(told[0].Said, status) {
		k.Errorf("the provider was told %v, want %s", told, status)
	}
	if m := k.fields(k.get(k.kate, "/bff/user", 200)); m["authenticated"] != true {
		k.Errorf("a logout that was not acknowledged signed out: %v", m)
	}
}

// keysAway: nothing is decided, and nobody who is signed in notices: a refresh brings its tokens from the provider itself.
func keysAway(k *keyStory) {
	r, began := k.Replicas[0], time.Now()
	a := k.arrive(k.other, k.callback)
	if took := time.Since(began); took > providerTimeout+time.Second {
		k.Errorf("a callback took %s", took)
	}
	if a.Status != 503 || a.Header.Get("Retry-After") == "" || k.other.Ticket() != "" {
		k.Errorf("a callback: %d, ticket %t\n%s", a.Status, k.other.Ticket() != "", k.brief(a))
	}
	k.logout("503")
	k.get(k.alice, "/api/x", 200)
	k.counted(r, `cloakroom_provider_errors_total{kind="keys",provider="main"}`, 0)
	k.alive(k.other, r)
	k.readiness(r, 200, "provider main: ok")
	documented(k.T, "503", "provider_unavailable", "200", "cloakroom_provider_errors_total", "keys", "provider main: ok")
}

// keysWrong: what somebody else's key should have signed is refused.
func keysWrong(k *keyStory) {
	const reason = "signature_invalid"
	r := k.Replicas[0]
	a := k.arrive(k.other, k.callback)
	if a.Status != 400 || k.other.Ticket() != "" || !strings.Contains(a.Body, "/bff/login") {
		k.Errorf("a callback: %d, ticket %t\n%s", a.Status, k.other.Ticket() != "", k.brief(a))
	}
	k.logout("400")
	k.problem(k.get(k.alice, "/api/x", 401), "signed_out")
	k.record(r, "event", "sign_in_refused", "reason", reason)
	k.record(r, "event", "backchannel_refused", "reason", reason)
	k.record(r, "event", "refresh_failed")
	k.counted(r, `cloakroom_sign_ins_refused_total{reason="`+reason+`"}`, 0)
	k.alive(k.other, r)
	k.readiness(r, 200, "provider main: ok")
	documented(k.T, "400", "401", "signed_out", "sign_in_refused", "backchannel_refused", "refresh_failed", reason, "cloakroom_sign_ins_refused_total",
		"provider main: ok")
}

// foreignKeys is a key set under the new key's name that somebody else made.
func foreignKeys(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"keys":[{"kty":"RSA","kid":"key-2","alg":"RS256","use":"sig","e":"AQAB","n":%q}]}`,
		base64.RawURLEncoding.EncodeToString(key.N.Bytes()))
}
