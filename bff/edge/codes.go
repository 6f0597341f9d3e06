package edge

import (
	"net/http"
	"slices"
)

// Entry is one kind of problem: what its code means.
type Entry struct {
	// Code is the stable name, the last part of the problem's type.
	Code string
	// Status is the HTTP status of the answer, unless the Problem says another.
	Status int
	// Title is the same for every occurrence.
	Title string
	// Explanation says to a person what happened and what helps.
	Explanation string
	// Refusal is whether the answer is a security decision against the request, and so an event ("refused").
	Refusal bool
}

// catalog is every problem that Cloakroom answers with, by status.
var catalog = []Entry{
	{"bad_request_path", 400, "The address is not acceptable", "The path has more than one possible reading: dot segments, doubled slashes, or encoded delimiters. Correct the address.", true},
	{"bad_query", 400, "The query is not acceptable", "The part after the question mark has broken escapes, control characters or too many parameters.", true},
	{"bad_request", 400, "The request is not acceptable", "Something in the request is not as this address needs it.", false},
	{"invalid_request", 400, "The request is not as described", "The service behind this address does not take a request like this one. The member errors says which fields and parameters, and what would be right.", false},
	{"two_cookies", 400, "Two session cookies", "The browser sent more than one session cookie, so it is not clear who is asking. Sign out, or clear this site's cookies, then sign in again.", true},
	{"bad_return_to", 400, "The way back is not acceptable", "After signing in the browser can only go to a path of this site.", true},
	{"bad_login_request", 400, "The sign-in cannot start", "A parameter of the sign-in request is unknown, repeated or has a value that it may not have.", false},
	{"bad_logout_token", 400, "The logout token is not acceptable", "The provider's logout token did not pass the checks. Nothing was signed out.", false},
	{"bad_upgrade", 400, "Only WebSockets", "The only protocol that a connection can change to here is WebSocket.", true},
	{"bad_credentials", 400, "Credentials that do not go together", "The request brings more than one credential, or one in a place where others may have seen it. Send exactly one, in its header.", true},
	{"sign_in_refused", 400, "The sign-in did not work", "The sign-in was cancelled, took too long, or did not come back as it was started. Try again.", false},
	{"signed_out", 401, "Signed out", "This needs a signed-in user. Sign in and try again.", false},
	{"sign_in_again", 401, "Sign in again", "This part of the app has been added since you signed in. Sign in again to use it.", false},
	{"step_up", 401, "Sign in once more", "This needs a sign-in that is more recent, or of a stronger kind, than yours. Sign in again; you stay signed in if you do not.", false},
	{"bad_credential", 401, "The credential is not accepted", "The API key, password, token or certificate of this request proves nothing here. It may be wrong, expired or revoked.", true},
	{"credential_required", 401, "A credential is missing", "This address is for programs that bring an API key, a password, a token or a certificate. The header WWW-Authenticate says which of these it takes.", true},
	{"cross_site", 403, "Not from this site", "The request comes from another site, or does not show that it comes from this one. Scripts without fetch metadata send the header X-CSRF: 1.", true},
	{"forbidden", 403, "Not allowed", "You are known, and may not do this. If you should, ask whoever manages your account.", true},
	{"step_up_refused", 403, "Not the sign-in that was asked for", "This needs a sign-in that is more recent, or of a stronger kind, and the identity provider did not confirm one. Your account may lack what it takes, such as a second factor: ask whoever manages it. If you were signed in before, you still are.", false},
	{"step_up_in_vain", 403, "Signing in again does not help", "You have signed in in the way that this address asks for, and it still refuses. Another sign-in would end the same way. Ask whoever manages your account; the reference helps them.", true},
	{"sign_in_loop", 403, "Signing in goes in circles", "You have signed in several times within a minute, and each time something sent you back here: the app, or a service behind it, does not take your sign-in. Another round would end the same way. Sign in as somebody else, or sign out and tell whoever runs the app; the reference helps them.", false},
	{"user_incomplete", 403, "Something about you is missing", "The service behind this address must be told something about you that your account does not have. Ask whoever manages your account.", false},
	{"https_required", 403, "Only over https", "This name is served over https. Nothing that was sent here was safe from others on the way; correct the address.", true},
	{"too_many_sessions", 403, "Signed in on too many devices", "You are signed in on as many devices as is allowed. Sign out on one of them, or wait until one of those sessions ends by itself; then try again.", false},
	{"not_a_navigation", 403, "Only for the browser's window", "This address is for going there with the browser, not for scripts, frames or images.", true},
	{"not_found", 404, "Not found", "There is nothing at this address.", false},
	{"method_not_allowed", 405, "Method not allowed", "This address exists, but not for this method. The header Allow says which ones it takes.", false},
	{"request_timeout", 408, "The request took too long", "The request did not arrive in time. Try again.", false},
	{"body_too_large", 413, "The request is too large", "The request's body is larger than this address takes.", false},
	{"unsupported_media_type", 415, "The wrong kind of body", "The body must be of a type that this address takes, in UTF-8 and not compressed. The header Content-Type says what it is.", false},
	{"misdirected", 421, "Wrong name", "This server does not answer under the name in the request.", true},
	{"too_many_streams", 429, "Too many streams", "This session has as many sockets and event streams open as it may. Close some, such as tabs of the app that are not used.", false},
	{"too_many_requests", 429, "Too many requests", "There were more requests than are allowed in so short a time. The header Retry-After says when to try again.", true},
	{"client_gone", 499, "The client went away", "The connection was closed before there was an answer.", false},
	{"internal", 500, "Something went wrong", "The server made a mistake. The request's ID helps to find it in the log.", false},
	{"shape_failed", 500, "The answer cannot be composed", "The parts of this answer came, and what makes one of them failed. The request's ID helps to find it in the log.", false},
	{"leg_refused", 502, "A part is refused", "This answer is composed of several parts, and the service behind one of them refuses it, with the status of this answer.", false},
	{"leg_failed", 502, "A part is missing", "This answer is composed of several parts, and the service behind one of them could not be reached, or did not answer properly.", false},
	{"upstream_failed", 502, "The service does not answer", "The service behind this address could not be reached, or did not answer properly.", false},
	{"upstream_too_large", 502, "The answer is too large", "The service behind this address answered with more than may pass.", false},
	{"undescribed_answer", 502, "The answer is not as described", "The service behind this address answered with something that its description does not allow.", false},
	{"token_refused", 502, "No access to the service", "The identity provider does not allow this app to use the service behind this address for you.", false},
	{"session_store_unavailable", 503, "Sessions are out of reach", "Your session cannot be read or written at the moment. You are still signed in; try again in a moment.", false},
	{"session_store_full", 503, "No room for sessions", "No further sign-in is possible at the moment. Try again later.", false},
	{"provider_unavailable", 503, "The sign-in service does not answer", "The identity provider cannot be reached at the moment. Try again in a moment.", false},
	{"token_unavailable", 503, "Access is out of reach", "The identity provider does not answer, so there is no access to the service behind this address at the moment. You are still signed in; try again in a moment.", false},
	{"busy", 503, "Too much at the same time", "This server is making as many answers of this kind as it can. Try again in a moment.", false},
	{"rules_unavailable", 503, "The decision is out of reach", "Whether you may do this cannot be decided at the moment. You are still signed in; try again in a moment.", false},
	{"limits_unavailable", 503, "Counting is out of reach", "This address is limited, and requests cannot be counted at the moment. Try again in a moment.", false},
	{"callers_unavailable", 503, "Credentials cannot be checked", "The credential of this request cannot be checked at the moment. Try again in a moment.", false},
	{"streams_full", 503, "No room for streams", "This server takes no further sockets and event streams at the moment. Try again in a moment.", false},
	{"upstream_timeout", 504, "The service takes too long", "The service behind this address did not answer in time.", false},
	{"leg_timeout", 504, "A part takes too long", "This answer is composed of several parts, and the service behind one of them did not answer in time.", false},
	{"loop", 508, "The request goes in circles", "The request came back to this server, which does not send it on again.", false},
}

// byCode finds an entry of the catalog.
var byCode = func() map[string]Entry {
	m := make(map[string]Entry, len(catalog))
	for _, e := range catalog {
		m[e.Code] = e
	}
	return m
}()

// Catalog returns every kind of problem, ordered by status.
func Catalog() []Entry { return slices.Clone(catalog) }

// Lookup returns the kind of problem with that code.
func Lookup(code string) (Entry, bool) {
	e, ok := byCode[code]
	return e, ok
}

// entryOf is Lookup for a code of our own, which may be new, and a status.
func entryOf(code string, status int) Entry {
	if e, ok := byCode[code]; ok {
		return e
	}
	return Entry{Code: code, Status: status, Title: http.StatusText(status), Explanation: http.StatusText(status)}
}

func isRefusal(code string) bool { return byCode[code].Refusal }
