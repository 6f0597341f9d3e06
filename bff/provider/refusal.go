package provider

import (
	"errors"
	"fmt"
)

var (
	// ErrUnavailable says that the provider could not be asked, or answered that it cannot work. Nothing is decided: the answer is 503, not a sign-out.
	ErrUnavailable = errors.New("provider unavailable")
	// ErrInvalidGrant says that a refresh token, and with it the session, is refused for good.
	ErrInvalidGrant = errors.New("refresh token refused")
	// ErrUnsent says that a refresh token was not spent: it never left, or the provider answered without granting anything.
	ErrUnsent = errors.New("refresh token not spent")
	// ErrNotGranted says that the provider does not give a token of the wanted kind, or gave one that is not. The Refusal beside it says why.
	ErrNotGranted = errors.New("token not granted")
)

// Refusal says that what a browser or the provider sent proves nothing. Reason is for logs and metrics, not for the browser.
type Refusal struct {
	// Reason is one of the Reason constants.
	Reason string
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

// refuse makes a Refusal. The detail must be made of words of ours and configured values only.
func refuse(reason, detail string, values ...any) error {
	if detail == "" {
		return &Refusal{Reason: reason}
	}
	return &Refusal{Reason: reason, Err: fmt.Errorf(detail, values...)}
}

// Reasons of a refused authorization response.
const (
	ReasonDuplicateParameter    = "duplicate_parameter"      // a parameter of the callback came twice
	ReasonState                 = "state_mismatch"           // the state is missing or of another sign-in
	ReasonResponseIssuer        = "response_issuer_mismatch" // RFC 9207: the response's iss is another's
	ReasonResponseIssuerMissing = "response_issuer_missing"  // RFC 9207: announced by the provider, and not there
	ReasonAccessDenied          = "access_denied"            // the user, or the provider's rules, said no
	ReasonLoginRequired         = "login_required"           // prompt=none, and the user must do something
	ReasonProviderError         = "provider_error"           // any other error that the provider reported
	ReasonCode                  = "code_invalid"             // the code is missing, empty or malformed
	ReasonCodeRefused           = "code_refused"             // the provider does not take the code: used, expired, or of another sign-in
	ReasonClientRefused         = "client_refused"           // the provider does not accept our own credentials or request
	ReasonTokenResponse         = "token_response_malformed" // not JSON, too large, a redirect, or without a usable access token
	ReasonTokenResponseType     = "token_type_unknown"       // token_type is not Bearer
	ReasonIDTokenMissing        = "id_token_missing"
	ReasonUserinfo              = "userinfo_malformed"        // the userinfo endpoint refused, or did not answer with a JSON object
	ReasonUserinfoSubject       = "userinfo_subject_mismatch" // userinfo is about somebody else
	ReasonClaimsTooLarge        = "claims_too_large"
	ReasonRevocation            = "revocation_refused"         // the provider does not revoke the token
	ReasonRefreshSubject        = "refresh_subject_mismatch"   // a refreshed ID token is about somebody else
	ReasonRefreshNonce          = "refresh_nonce_mismatch"     // a refreshed ID token belongs to another sign-in
	ReasonRefreshAuthTime       = "refresh_auth_time_mismatch" // a refreshed ID token tells of another authentication
	ReasonRefreshResponse       = "refresh_response_malformed" // the answer to a refresh could not be used
)

// Reasons of a token for one audience that is not used.
const (
	ReasonGrantRefused  = "grant_refused"           // the provider does not give it
	ReasonGrantType     = "grant_type_mismatch"     // issued_token_type is not that of an access token
	ReasonGrantAudience = "grant_audience_mismatch" // the token's aud does not name the audience that it was asked for
	ReasonGrantScope    = "grant_scope_broader"     // it may do more than was asked for
	ReasonGrantSame     = "grant_same_token"        // it is the user's own token again
)

// Reasons that ID tokens and logout tokens share.
const (
	ReasonTokenTooLarge     = "token_too_large"
	ReasonTokenMalformed    = "token_malformed"      // not three parts of strict base64url around JSON objects without duplicate members
	ReasonTokenEncrypted    = "token_encrypted"      // five parts: a JWE, which is not supported
	ReasonTokenType         = "token_type_confusion" // a token of another kind, by its `typ` or its members
	ReasonTokenAlgorithm    = "token_algorithm"      // the signature algorithm is not a configured one
	ReasonTokenCritical     = "token_critical"       // the header demands an extension
	ReasonSignature         = "signature_invalid"    // no key of the provider verifies the signature
	ReasonIssuer            = "issuer_mismatch"
	ReasonAudience          = "audience_mismatch"  // the client ID is not in aud
	ReasonAudienceUntrusted = "audience_untrusted" // somebody else is in aud, and not configured as trusted
	ReasonAuthorizedParty   = "authorized_party_mismatch"
	ReasonExpiry            = "expiry_invalid" // exp is missing or no time
	ReasonExpired           = "expired"
	ReasonNotYetValid       = "not_yet_valid"     // nbf is in the future
	ReasonIssuedAt          = "issued_at_invalid" // iat is missing or no time
	ReasonIssuedInFuture    = "issued_in_future"  // the clocks differ
	ReasonIssuedLongAgo     = "issued_long_ago"   // the clocks differ, or the token is old
	ReasonSubject           = "subject_invalid"   // sub is missing, or not 1 to 255 printable ASCII characters
	ReasonProviderSession   = "provider_session_invalid"
	ReasonNonce             = "nonce_mismatch"
	ReasonAuthTimeMissing   = "auth_time_missing" // max_age was asked for
	ReasonAuthTime          = "auth_time_invalid" // no time, or in the future
	ReasonAuthTimeStale     = "auth_time_stale"   // the user authenticated too long ago for max_age or prompt=login
	ReasonACR               = "acr_mismatch"      // acr is none of the requested acr_values
	ReasonAccessTokenHash   = "access_token_hash_mismatch"
)

// Reasons that only logout tokens know.
const (
	ReasonLogoutEvents  = "logout_events_invalid" // events is not an object with the back-channel logout member
	ReasonLogoutNonce   = "logout_nonce_present"  // a nonce, whatever its value
	ReasonLogoutSubject = "logout_subject_missing"
	ReasonLogoutID      = "logout_id_missing" // no jti
)
