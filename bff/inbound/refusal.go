package inbound

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

var (
	// ErrUnavailable says that what decides could not be asked: the store of API keys, an issuer's keys, or a processor for one more hash. Nothing is
	// decided: the answer is 503.
	ErrUnavailable = errors.New("callers cannot be identified")
	// ErrTwo says that a request carries more than one credential.
	ErrTwo = errors.New("more than one credential")
)

// Refusal says that a credential proves nothing. It holds nothing of the credential.
type Refusal struct {
	// Status is that of the answer: 400, 401 or 429.
	Status int
	// Reason is one of the Reason constants. It is for logs and metrics, not for the caller.
	Reason string
	// Challenge are the values of WWW-Authenticate for this request; none with a status other than 401.
	Challenge []string
	// RetryAfter is when trying again makes sense; 0 says nothing.
	RetryAfter time.Duration
	// Caller names whose credential it claims to be, where that is safe to log: the ID of an API key. Else empty.
	Caller string
	// Err tells more, in words of our own; may be nil.
	Err error
}

// Error is the reason and what is known beyond it.
func (r *Refusal) Error() string {
	if r.Err == nil {
		return "refused: " + r.Reason
	}
	return fmt.Sprintf("refused: %s: %v", r.Reason, r.Err)
}

// Unwrap returns Err.
func (r *Refusal) Unwrap() error { return r.Err }

// Reasons of a request that is refused for how it carries its credentials: 400.
const (
	ReasonTwo          = "two_credentials"         // two of API key, Authorization, certificate; or one of them twice
	ReasonMalformed    = "credentials_malformed"   // Authorization is not a scheme and one credential
	ReasonKeyInQuery   = "api_key_in_query"        // where it lands in logs and histories
	ReasonKeyMisplaced = "api_key_misplaced"       // in another header than the configured one
	ReasonTokenInQuery = "access_token_in_query"   // RFC 9700, section 4.3.2
	ReasonCertHeader   = "client_cert_malformed"   // of a trusted proxy, and not as RFC 9440 has it
	ReasonCertPeers    = "client_cert_two_headers" // a trusted proxy handed over two
)

// Reasons of API keys.
const (
	ReasonKeyMalformed = "api_key_malformed" // its checksum is wrong: a typo
	ReasonKeyUnknown   = "api_key_unknown"   // revoked, or never made
	ReasonKeyExpired   = "api_key_expired"
)

// Reasons of user names and passwords.
const (
	ReasonBasicPlain     = "basic_without_tls" // somebody on the way has read the password by now
	ReasonBasicThrottled = "basic_throttled"   // 429: too many failures by this user name and address
	ReasonBasicMalformed = "basic_malformed"   // not base64 of user:password
	ReasonBasicPassword  = "basic_password"    // no such user, or another password
)

// Reasons of access tokens.
const (
	ReasonTokenTooLarge  = "token_too_large"
	ReasonTokenMalformed = "token_malformed"    // not three parts of strict base64url around JSON objects without duplicate members
	ReasonTokenEncrypted = "token_encrypted"    // five parts: a JWE, which is not supported
	ReasonTokenType      = "token_type"         // typ is not at+jwt: an ID token, a logout token
	ReasonTokenAlgorithm = "token_algorithm"    // none of the issuer's
	ReasonTokenCritical  = "token_critical"     // the header demands an extension
	ReasonTokenIssuer    = "token_issuer"       // none of the configured ones
	ReasonTokenSignature = "token_signature"    // no key of the issuer verifies it
	ReasonTokenKey       = "token_key_unknown"  // the issuer has no such key, or was asked a moment ago
	ReasonTokenAudience  = "token_audience"     // for another server
	ReasonTokenExpiry    = "token_expiry"       // exp is missing or no time
	ReasonTokenExpired   = "token_expired"      //
	ReasonTokenNotYet    = "token_not_yet"      // nbf or iat is in the future, or no time
	ReasonTokenSubject   = "token_subject"      // sub is missing, or not 1 to 255 printable characters
	ReasonTokenBound     = "token_bound"        // to a key of DPoP, or in a way that is not known: it is no bearer
	ReasonTokenCert      = "token_certificate"  // bound to another client certificate than the connection's
	ReasonTokenClaims    = "token_claims_large" // more than rules can be asked about
)

// Reasons of client certificates.
const (
	ReasonCertMissing   = "certificate_missing"   // there is none
	ReasonCertUntrusted = "certificate_untrusted" // of no configured authority, not for clients, or too long a chain
	ReasonCertTime      = "certificate_time"      // expired, or not yet valid
	ReasonCertRevoked   = "certificate_revoked"   // or its authority's list is missing or over
	ReasonCertName      = "certificate_name"      // nobody who is known
)

// refuse makes a Refusal with status 401. The detail must be made of words of ours and configured values only.
func refuse(reason, detail string) *Refusal {
	r := &Refusal{Status: http.StatusUnauthorized, Reason: reason}
	if detail != "" {
		r.Err = errors.New(detail)
	}
	return r
}

// bad makes a Refusal with status 400.
func bad(reason string, err error) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Reason: reason, Err: err}
}
