package inbound

import (
	"net/http"
	"slices"
)

// Challenges are the values of WWW-Authenticate for a request that carries no credential, on a route that takes these kinds: one for each (RFC 9110,
// section 11.6.1). There is none that makes a browser ask a person for a password behind an app's back.
func (in *Inbound) Challenges(r *http.Request, kinds []string) []string {
	var all []string
	for _, kind := range kinds {
		for _, c := range in.challenge(r, kind, "") {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	return all
}

// challenge is what a caller of one kind is told, who was refused for that reason; "" is that nothing was there.
func (in *Inbound) challenge(r *http.Request, kind, reason string) []string {
	const realm = ` realm="cloakroom"`
	switch kind {
	case KindAPIKey:
		if http.CanonicalHeaderKey(in.cfg.APIKey.Header) != "Authorization" {
			return []string{`ApiKey` + realm + `, header="` + in.cfg.APIKey.Header + `"`} // no registered scheme has keys
		}
		return []string{`Bearer` + realm + tokenError(reason)}
	case KindBearer:
		return []string{`Bearer` + realm + tokenError(reason)}
	case KindBasic:
		if script(r) {
			return nil // the browser would show its own window, over an app that knows nothing of it
		}
		return []string{`Basic realm="` + in.cfg.Basic.Realm + `", charset="UTF-8"`}
	case KindCertificate:
		return []string{`Certificate` + realm} // no registered scheme either
	}
	return nil
}

// tokenError is what RFC 6750 has for a token that is refused, whatever the reason: the caller can only get another one (section 3.1).
func tokenError(reason string) string {
	if reason == "" {
		return "" // it did not know that it needs one: section 3 wants no error then
	}
	return `, error="invalid_token"`
}

// script reports whether a browser says that not a person but a script, an image or the like asks. One without fetch metadata says so by what no navigation to a page
// has: the header of the cross-site check, or an Origin.
func script(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode != "navigate"
	}
	return len(r.Header["X-Csrf"]) > 0 || len(r.Header["Origin"]) > 0
}
