package inbound

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Present says which credential of a route's kinds a request carries; "" is none. The error is a *[Refusal] with status 400. It is decided by
// the request alone: nobody is asked, and nothing is verified.
//
// What counts is this.
//
//   - The configured header of API keys and Authorization are each one credential, of whatever kind and whether the route takes it or not. Two of
//     them, or one of them twice, are refused with [ErrTwo] (AUN-01, AUN-07): no order decides whose request it is.
//   - A client certificate counts where the route takes certificates. Beside a bearer that the route takes, too, it is what the token may be bound to
//     (RFC 8705), and the token speaks. Beside an API key or a password it is a second credential.
//   - A single credential of a kind that the route does not take is as if it were not there: browsers send passwords by themselves to the whole
//     origin. It opens nothing, and goes no further.
//   - A bearer that begins like an API key is one, never a token.
//   - A key or token in the query is refused: it is in the logs of everybody on the way by now (AUN-04).
func (in *Inbound) Present(r *http.Request, kinds []string) (kind string, err error) {
	found, refusal := in.carried(r, kinds)
	if refusal != nil {
		return "", refusal
	}
	if !slices.Contains(kinds, found) {
		return "", nil
	}
	return found, nil
}

// carried is the pure part of Present. What it finds need not be of the route's kinds.
func (in *Inbound) carried(r *http.Request, kinds []string) (string, *Refusal) {
	authorization := r.Header["Authorization"]
	if len(authorization) > 1 {
		return "", bad(ReasonTwo, errDuplicate)
	}
	if reason := inQuery(r.URL.RawQuery, kinds); reason != "" {
		return "", bad(reason, nil)
	}
	if len(kinds) == 0 {
		return "", nil
	}
	explicit, refusal := in.explicit(r, authorization, kinds)
	if refusal != nil || !slices.Contains(kinds, KindCertificate) {
		return explicit, refusal
	}
	there, refusal := in.hasCertificate(r)
	switch {
	case refusal != nil || !there:
		return explicit, refusal
	case explicit == "" || !slices.Contains(kinds, explicit):
		return KindCertificate, nil
	case explicit == KindBearer:
		return KindBearer, nil
	}
	return "", bad(ReasonTwo, ErrTwo)
}

// explicit is the credential that somebody put into a header.
func (in *Inbound) explicit(r *http.Request, authorization, kinds []string) (string, *Refusal) {
	byHeader := ""
	if name := http.CanonicalHeaderKey(in.cfg.APIKey.Header); name != "" && name != "Authorization" {
		switch values := r.Header[name]; {
		case len(values) > 1:
			return "", bad(ReasonTwo, errDuplicate)
		case len(values) == 1:
			byHeader = KindAPIKey
		}
	}
	if len(authorization) == 0 {
		return byHeader, nil
	}
	if byHeader != "" {
		return "", bad(ReasonTwo, ErrTwo)
	}
	scheme, value, ok := splitAuthorization(authorization[0])
	switch {
	case !ok && slices.Contains([]string{"bearer", "basic"}, scheme):
		return "", bad(ReasonMalformed, nil)
	case !ok:
		return "", nil // a scheme that nobody here knows, such as Negotiate or Digest
	case scheme == "basic":
		return KindBasic, nil
	case scheme != "bearer":
		return "", nil
	case !strings.HasPrefix(value, keyPrefix):
		return KindBearer, nil
	case strings.EqualFold(in.cfg.APIKey.Header, "Authorization"):
		return KindAPIKey, nil
	case slices.Contains(kinds, KindAPIKey):
		return "", bad(ReasonKeyMisplaced, nil)
	}
	return "", nil
}

var errDuplicate = duplicate{}

// duplicate is ErrTwo for one credential that comes twice.
type duplicate struct{}

// Error says so.
func (duplicate) Error() string { return "a credential's header comes twice" }

// Is makes it an ErrTwo.
func (duplicate) Is(target error) bool { return errors.Is(target, ErrTwo) }

// splitAuthorization takes apart a scheme in small letters and one credential of the characters of token68 (RFC 9110, section 11.4). It is false where
// there is no such credential; the scheme is known then all the same. A comma is none of its characters: two credentials in one line are refused.
func splitAuthorization(line string) (scheme, value string, ok bool) {
	scheme, value, ok = strings.Cut(line, " ")
	value = strings.TrimLeft(value, " ")
	return strings.ToLower(scheme), value, ok && isToken68(value)
}

func isToken68(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		switch c := body[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~', c == '+', c == '/':
		default:
			return false
		}
	}
	return body != ""
}

// keyNames are what parameters with API keys are usually called, in small letters without hyphens and underscores.
var keyNames = []string{"apikey", "xapikey", "apitoken"}

// inQuery finds credentials in a query, and says why they are refused. A value that is one of our keys is refused on every route and under every name;
// what only looks like a credential by its name, where the route takes credentials of that kind.
func inQuery(query string, kinds []string) (reason string) {
	for query != "" {
		var pair string
		pair, query = cutPair(query)
		name, value, _ := strings.Cut(pair, "=")
		value = unescaped(value)
		if isKey(value) {
			return ReasonKeyInQuery
		}
		if len(kinds) == 0 {
			continue
		}
		plain := strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(unescaped(name)))
		switch {
		case slices.Contains(kinds, KindAPIKey) && (slices.Contains(keyNames, plain) || strings.HasPrefix(value, keyPrefix)):
			return ReasonKeyInQuery
		case slices.Contains(kinds, KindBearer) && plain == "accesstoken":
			return ReasonTokenInQuery
		}
	}
	return ""
}

// cutPair cuts at & and at ;, by which some servers behind us do.
func cutPair(query string) (pair, rest string) {
	if i := strings.IndexAny(query, "&;"); i >= 0 {
		return query[:i], query[i+1:]
	}
	return query, ""
}

// unescaped is s as a form has it, or s itself where it is malformed.
func unescaped(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}
