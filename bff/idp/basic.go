package idp

import (
	"net/http"
	"net/url"
)

// decodeBasic takes back the form encoding that client_id and client_secret have in Basic authentication (RFC 6749, section 2.3.1), which the library does
// not: it would refuse every secret with a `+`, `/` or `=`, as most are that come from a random source. What is not encoded properly stays as it is.
func decodeBasic(r *http.Request) {
	id, secret, ok := r.BasicAuth()
	if !ok {
		return
	}
	plainID, errID := url.QueryUnescape(id)
	plainSecret, errSecret := url.QueryUnescape(secret)
	if errID == nil && errSecret == nil {
		r.SetBasicAuth(plainID, plainSecret)
	}
}
