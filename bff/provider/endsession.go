package provider

import "net/url"

// EndSessionURL is where the browser goes to sign out at the provider as well (OpenID Connect RP-Initiated Logout 1.0, section 2), and false if the
// provider has no such place or is not known yet.
//
// The ID token goes into the URL only if the configuration says so: it then stands in the browser's history. Otherwise the provider learns from client_id
// and logout_hint, the subject, who is leaving.
func (p *Provider) EndSessionURL(idToken, subject, postLogout, state string) (string, bool) {
	k := p.known.Load()
	if k == nil || k.EndSession == "" {
		return "", false
	}
	u, err := url.Parse(k.EndSession)
	if err != nil {
		return "", false
	}
	q := u.Query()
	q.Set("client_id", p.cfg.ClientID)
	if p.cfg.IDTokenHint && idToken != "" {
		q.Set("id_token_hint", idToken)
	} else if subject != "" {
		q.Set("logout_hint", subject)
	}
	if postLogout != "" {
		q.Set("post_logout_redirect_uri", postLogout)
	}
	if state != "" {
		q.Set("state", state)
	}
	u.RawQuery = q.Encode()
	return u.String(), true
}
