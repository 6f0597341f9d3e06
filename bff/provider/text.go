package provider

import (
	"slices"
	"strings"
)

// errorCodes are the registered error codes of RFC 6749, RFC 7009, RFC 8707 and OpenID Connect Core: the only foreign text that errors repeat.
var errorCodes = []string{
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
	"access_denied", "unsupported_response_type", "server_error", "temporarily_unavailable", "unsupported_token_type",
	"interaction_required", "login_required", "account_selection_required", "consent_required", "invalid_target",
	"invalid_request_uri", "invalid_request_object", "request_not_supported", "request_uri_not_supported",
	"registration_not_supported", "unmet_authentication_requirements",
}

// knownError returns code if it is a registered one.
func knownError(code string) string {
	if slices.Contains(errorCodes, code) {
		return code
	}
	return "unregistered_error"
}

func isBearer(tokenType string) bool { return strings.EqualFold(tokenType, "Bearer") }

// isOpaque reports whether s can be an access token, refresh token or code: visible ASCII (RFC 6749, appendix A), of a size that fits into a header.
func isOpaque(s string) bool {
	return s != "" && len(s) <= maxOpaque && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// isIdentifier reports whether s can be a `sub` or `sid`: 1 to 255 printable ASCII characters (OpenID Connect Core, section 2). Others
// would reach store keys and logs.
func isIdentifier(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsFunc(s, notVisible)
}
