package provider

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// AuthURL is where the browser goes to sign in (OpenID Connect Core, section 3.1.2.1): always a code, always with PKCE S256, state and nonce.
// The configured parameters come first, so that nothing of them can take the place of ours.
func (p *Provider) AuthURL(s SignIn) (string, error) {
	k, err := p.current()
	if err != nil {
		return "", err
	}
	if len(s.State) < 43 || len(s.Nonce) < 43 || len(s.Verifier) < 43 {
		return "", errors.New("authorization URL: sign-in was not made by NewSignIn")
	}
	var options []oauth2.AuthCodeOption
	for _, name := range slices.Sorted(maps.Keys(p.cfg.AuthorizeParams)) {
		if !slices.Contains(ownParams, name) {
			options = append(options, oauth2.SetAuthURLParam(name, p.cfg.AuthorizeParams[name]))
		}
	}
	for _, param := range []struct{ name, value string }{
		{"prompt", s.Prompt}, {"login_hint", s.LoginHint}, {"ui_locales", s.UILocales}, {"acr_values", s.ACRValues},
	} {
		if param.value != "" {
			options = append(options, oauth2.SetAuthURLParam(param.name, param.value))
		}
	}
	if s.MaxAge != nil {
		options = append(options, oauth2.SetAuthURLParam("max_age", strconv.Itoa(*s.MaxAge)))
	}
	options = append(options, oidc.Nonce(s.Nonce), oauth2.S256ChallengeOption(s.Verifier))
	location := k.oauth.AuthCodeURL(s.State, options...)
	for _, r := range s.Resources { // the only parameter that may come more than once, which the library has no option for
		location += "&" + url.Values{"resource": {r}}.Encode()
	}
	return location, nil
}
