package provider

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// SignIn is one sign-in under way. It must be kept from its start to the callback in a place that belongs to this one browser and that nobody
// can read: the sealed login cookie.
type SignIn struct {
	// State ties the callback to this sign-in, Nonce the ID token, and Verifier the code (RFC 7636). 256 bits each.
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	// Started is when it began, in seconds since 1970.
	Started int64 `json:"t"`
	// Prompt, LoginHint, UILocales, ACRValues and MaxAge are passed on to the provider (OpenID Connect Core, section 3.1.2.1); empty ones are not.
	Prompt    string `json:"p,omitempty"`
	LoginHint string `json:"h,omitempty"`
	UILocales string `json:"l,omitempty"`
	ACRValues string `json:"a,omitempty"`
	// MaxAge is in seconds; nil is none.
	MaxAge *int `json:"m,omitempty"`
	// Beside is whether the browser has a session that goes on if this sign-in comes to nothing. At many providers both would be of one grant, and to revoke what this one
	// brought would end that one too: its tokens are then not handed over to be revoked. It is not kept.
	Beside bool `json:"-"`
	// Resources are the URLs of APIs for which tokens of their own will be wanted (RFC 8707, section 2.1). They are not kept.
	Resources []string `json:"-"`
}

// NewSignIn begins a sign-in with fresh random values.
func NewSignIn() SignIn {
	return SignIn{State: random(), Nonce: random(), Verifier: random(), Started: time.Now().Unix()}
}

// random returns 256 random bits as 43 characters of base64url, which is also what a PKCE verifier looks like.
func random() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// ParseSignIn puts the parameters of a query that are meant for the provider into s: prompt, login_hint, ui_locales, acr_values and
// max_age. Others are not looked at; an empty value counts as absent (RFC 6749, section 3.1). The error can be shown to the user: it names
// the parameter and the rule and quotes nothing.
func ParseSignIn(q url.Values, s *SignIn) error {
	parsed := *s
	for _, param := range []struct {
		name  string
		parse func(string, *SignIn) error
	}{
		{"prompt", parsePrompt}, {"login_hint", parseLoginHint}, {"ui_locales", parseLocales},
		{"acr_values", parseACR}, {"max_age", parseMaxAge},
	} {
		values := q[param.name]
		if len(values) > 1 {
			return fmt.Errorf("%s: must not be given twice", param.name)
		}
		if len(values) == 0 || values[0] == "" {
			continue
		}
		if err := param.parse(values[0], &parsed); err != nil {
			return fmt.Errorf("%s: %w", param.name, err)
		}
	}
	*s = parsed
	return nil
}

// prompts are the values of OpenID Connect Core, section 3.1.2.1, and `create` of Initiating User Registration.
var prompts = []string{"none", "login", "consent", "select_account", "create"}

func parsePrompt(v string, s *SignIn) error {
	words := strings.Split(v, " ")
	for i, w := range words {
		if !slices.Contains(prompts, w) || slices.Index(words, w) < i {
			return errors.New("must be different ones of " + strings.Join(prompts, ", "))
		}
	}
	if len(words) > 1 && slices.Contains(words, "none") {
		return errors.New("none stands alone")
	}
	s.Prompt = v
	return nil
}

func parseLoginHint(v string, s *SignIn) error {
	if len(v) > 255 || !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return errors.New("must be at most 255 bytes of printable text")
	}
	s.LoginHint = v
	return nil
}

func parseLocales(v string, s *SignIn) error {
	tag := func(r rune) bool {
		return r == '-' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
	}
	if !isList(v, 100, tag) {
		return errors.New("must be language tags such as `de en-GB`, at most 100 characters")
	}
	s.UILocales = v
	return nil
}

func parseACR(v string, s *SignIn) error {
	if !isList(v, 255, func(r rune) bool { return !notScope(r) }) {
		return errors.New("must be names separated by single spaces, at most 255 visible ASCII characters")
	}
	s.ACRValues = v
	return nil
}

// isList reports whether v is words of the allowed characters, separated by single spaces.
func isList(v string, longest int, allowed func(rune) bool) bool {
	if len(v) > longest {
		return false
	}
	for word := range strings.SplitSeq(v, " ") {
		if word == "" || strings.ContainsFunc(word, func(r rune) bool { return !allowed(r) }) {
			return false
		}
	}
	return true
}

func parseMaxAge(v string, s *SignIn) error {
	n, err := strconv.ParseUint(v, 10, 31)
	if err != nil {
		return errors.New("must be a number of seconds")
	}
	age := int(n)
	s.MaxAge = &age
	return nil
}
