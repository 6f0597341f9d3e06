package bff

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/securecookie"

	"cloakroom/bff/provider"
	"cloakroom/session"
)

// The login cookie holds one sign-in under way: sealed, HttpOnly, Secure, SameSite=Lax (the callback is a navigation from
// the provider, which a Strict cookie would not join), Path=/, no Domain. Its name carries a hash of the state, so that
// two tabs can sign in side by side. It is the only place where a nonce and a verifier leave the server, and only sealed.
const (
	loginCookiePrefix = "__Host-Http-login-"
	loginLife         = 10 * time.Minute // a sign-in that takes longer starts again
	replayLife        = time.Minute      // how long a callback that comes again is recognized
	maxLogins         = 5                // sign-ins under way in one browser
	maxLoginBytes     = 6 << 10          // of all login cookies together: far below the header limit
)

// login is one sign-in under way.
type login struct {
	SignIn   provider.SignIn `json:"s"`
	Provider string          `json:"p"`
	Issuer   string          `json:"i"` // the provider's of this name when the sign-in began
	ReturnTo string          `json:"r"`
	Replaces session.ID      `json:"o,omitempty"` // the session that this sign-in will end; once Done, the one that it brought
	Who      string          `json:"w,omitempty"` // that session's user, as pseudonym returns it; empty: not known
	Rounds   rounds          `json:"n,omitzero"`
	Asked    []string        `json:"q,omitempty"` // marks of the resources that the provider was asked for
	Done     bool            `json:"d,omitempty"` // the callback succeeded; what follows is a repeat
}

// done is what is kept of l once it succeeded: enough to recognize a repeat and a loop, and the session that it brought, which the browser's next
// sign-in ends. Nonce and verifier have no further use.
func (l login) done(brought session.ID, who string) login {
	kept := provider.SignIn{State: l.SignIn.State, Started: l.SignIn.Started, ACRValues: l.SignIn.ACRValues, MaxAge: l.SignIn.MaxAge}
	return login{SignIn: kept, ReturnTo: l.ReturnTo, Replaces: brought, Who: who, Rounds: l.Rounds, Done: true}
}

// loginCookies seals, reads and bounds the login cookies.
type loginCookies struct {
	prefix string
	secure bool
	codecs []securecookie.Codec // one a secret: the first seals, all open
}

// newLoginCookies derives the cookies' keys from the session secrets. Without insecure the cookies bear the __Host-Http- prefix.
func newLoginCookies(hashKeys, blockKeys [][]byte, insecure bool) *loginCookies {
	lc := &loginCookies{prefix: loginCookiePrefix, secure: true}
	if insecure {
		lc.prefix, lc.secure = strings.TrimPrefix(loginCookiePrefix, "__Host-Http-"), false
	}
	for i := range hashKeys {
		sc := securecookie.New(hashKeys[i], blockKeys[i])
		sc.MaxAge(int(loginLife.Seconds())) // the default would be 30 days (CRY-03)
		sc.SetSerializer(securecookie.JSONEncoder{})
		lc.codecs = append(lc.codecs, sc)
	}
	return lc
}

// name is the cookie's name for a state; the hash tells nothing about the state.
func (lc *loginCookies) name(state string) string {
	sum := sha256.Sum256([]byte(state))
	return lc.prefix + base64.RawURLEncoding.EncodeToString(sum[:12])
}

// sealed is l in its cookie for life. The error means that it does not fit into one.
func (lc *loginCookies) sealed(l login, life time.Duration) (*http.Cookie, error) {
	name := lc.name(l.SignIn.State)
	value, err := securecookie.EncodeMulti(name, l, lc.codecs[0])
	if err != nil {
		return nil, err
	}
	return lc.cookie(name, value, int(life.Seconds())), nil
}

// get opens the login cookie of a state. Missing, foreign, altered and expired ones are all "not there".
func (lc *loginCookies) get(r *http.Request, state string) (login, bool) {
	var l login
	name := lc.name(state)
	found := r.CookiesNamed(name)
	if len(found) != 1 || securecookie.DecodeMulti(name, found[0].Value, &l, lc.codecs...) != nil {
		return login{}, false
	}
	return l, l.SignIn.State == state
}

// clear makes the browser forget the cookie of a state.
func (lc *loginCookies) clear(w http.ResponseWriter, state string) {
	http.SetCookie(w, lc.cookie(lc.name(state), "", -1))
}

// clearAll makes the browser forget every login cookie that r brought.
func (lc *loginCookies) clearAll(w http.ResponseWriter, r *http.Request) {
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, lc.prefix) {
			http.SetCookie(w, lc.cookie(c.Name, "", -1))
		}
	}
}

// clearDone makes the browser forget the sign-ins that succeeded a moment ago: their session has ended since, and its missing cookie
// no longer means that the browser refuses it.
func (lc *loginCookies) clearDone(w http.ResponseWriter, r *http.Request) {
	for _, l := range lc.finished(r) {
		lc.clear(w, l.SignIn.State)
	}
}

// finished are this browser's sign-ins that succeeded a moment ago.
func (lc *loginCookies) finished(r *http.Request) (done []login) {
	for _, c := range r.Cookies() {
		var l login
		if strings.HasPrefix(c.Name, lc.prefix) && securecookie.DecodeMulti(c.Name, c.Value, &l, lc.codecs...) == nil && l.Done {
			done = append(done, l)
		}
	}
	return done
}

// makeRoom makes the browser forget what is in the way of one more sign-in, whose cookie is next: unreadable cookies, and the oldest ones
// beyond the bounds in number and bytes. It reports whether r brought a sign-in that succeeded within the last minute.
func (lc *loginCookies) makeRoom(w http.ResponseWriter, r *http.Request, next *http.Cookie) (justDone bool) {
	type held struct {
		name    string
		bytes   int
		started int64
	}
	var kept []held
	for _, c := range r.Cookies() {
		if !strings.HasPrefix(c.Name, lc.prefix) {
			continue
		}
		var l login
		if securecookie.DecodeMulti(c.Name, c.Value, &l, lc.codecs...) != nil {
			http.SetCookie(w, lc.cookie(c.Name, "", -1))
			continue
		}
		justDone = justDone || l.Done
		kept = append(kept, held{c.Name, len(c.Name) + len(c.Value), l.SignIn.Started})
	}
	slices.Reverse(kept) // newest first: of the same second too, because browsers send the older cookie first
	slices.SortStableFunc(kept, func(a, b held) int { return cmp.Compare(b.started, a.started) })
	total := len(next.Name) + len(next.Value)
	for i, h := range kept {
		total += h.bytes
		if i >= maxLogins-1 || total > maxLoginBytes {
			http.SetCookie(w, lc.cookie(h.name, "", -1))
		}
	}
	return justDone
}

func (lc *loginCookies) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: lc.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}
