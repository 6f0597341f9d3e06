package session

import "slices"

// Why a session ended: stable words, the same in the store's marks and announcements, in metrics and logs, and in what a browser is told
// (docs/engine.md has what each means).
const (
	// ReasonIdle and ReasonLifetime are expiries: nobody's act, which leaves no mark. They are named after the settings.
	ReasonIdle     = "idle_timeout"
	ReasonLifetime = "lifetime"
	// ReasonUnknown is an end that is known of, and its reason not: the mark is gone, or a version of this program left it that knew of no reasons.
	ReasonUnknown = "ended"
)

// reasons are those of ends that somebody made.
var reasons = [...]string{
	"logout", "device", "limit", "frontchannel", "backchannel", "replaced", "user_changed", "replace_failed", "undone",
	"invalid_grant", "refresh_interrupted", "token_expired", "too_large",
}

// understood is a reason as the store had it, if it is one that we know, else ReasonUnknown: a later version may have others, and whoever writes to the store could
// have left anything.
func understood(reason string) string {
	if slices.Contains(reasons[:], reason) {
		return reason
	}
	return ReasonUnknown
}
