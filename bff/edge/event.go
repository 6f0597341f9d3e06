package edge

import (
	"context"
	"log/slog"
	"time"
)

// The names of security events: the attribute `event` of the records that [Event] writes. They are
// part of the interface, alerts are built on them. The session engine writes a few more by itself.
const (
	EventSignIn             = "sign_in"             // a user signed in
	EventSignInRefused      = "sign_in_refused"     // a callback was refused; reason says by which check
	EventSignOut            = "sign_out"            // a user signed out here
	EventSessionEnded       = "session_ended"       // a session ended otherwise; reason says how
	EventBackchannelLogout  = "backchannel_logout"  // the provider ended sessions
	EventBackchannelRefused = "backchannel_refused" // a logout token was refused
	EventFrontchannelLogout = "frontchannel_logout" // the provider's page ended sessions, by iss and sid
	EventFrontchannelFailed = "frontchannel_failed" // it asked to, and not all ends could be written
	EventRefreshTokenReuse  = "refresh_token_reuse" // the provider says that a refresh token was used twice
	EventRefreshFailed      = "refresh_failed"      // a refresh failed for good
	EventRevoked            = "tokens_revoked"      // the provider took note that an ended session's tokens are over
	EventRevocationFailed   = "revocation_failed"   // tokens of an ended session could not be revoked
	EventConfigReloaded     = "config_reloaded"     // another configuration holds from now on
	EventConfigRefused      = "config_refused"      // another configuration does not; reason says why, err what is wrong
	EventTokenRefused       = "token_refused"       // the provider does not give a route's token, or gave another
	EventReported           = "reported"            // a rule that only reports would have refused a request
	EventRefused            = "refused"             // a request was refused; written by AccessLog alone
)

// Event writes a security event: one record with the event's name, the request's ID, address, subject and session
// as far as ctx has them, and attrs. What is part of a normal day has the level info, the rest warn.
//
// It reads the [Record]. A goroutine that outlives the request, such as a refresh, calls it with a context of its own.
// No attribute may hold a token, a ticket, a code, a verifier or a secret.
func Event(ctx context.Context, log *slog.Logger, name string, attrs ...slog.Attr) {
	level := slog.LevelWarn
	switch name {
	case EventSignIn, EventSignOut, EventSessionEnded, EventBackchannelLogout, EventFrontchannelLogout, EventRevoked, EventConfigReloaded, EventReported:
		level = slog.LevelInfo
	}
	h := log.Handler()
	if !h.Enabled(ctx, level) {
		return
	}
	out := slog.NewRecord(time.Now(), level, "security event", 0)
	out.AddAttrs(slog.String("event", name))
	if rec, ok := ctx.Value(recordKey{}).(*Record); ok {
		out.AddAttrs(eventAttrs(rec)...)
	}
	out.AddAttrs(attrs...)
	_ = h.Handle(ctx, out) // there is nowhere to report that the log is broken
}

// eventAttrs says whose request it was.
func eventAttrs(rec *Record) []slog.Attr {
	a := []slog.Attr{slog.String("id", rec.ID)}
	if rec.ClientIP.IsValid() {
		a = append(a, slog.String("ip", rec.ClientIP.String()))
	}
	a = appendNonEmpty(a, "subject", rec.Subject)
	return appendNonEmpty(a, "session", rec.Session)
}
