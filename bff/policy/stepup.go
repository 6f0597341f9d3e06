package policy

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// StepUp is what a further sign-in must bring (RFC 9470).
type StepUp struct {
	// ACR are acr values of which one is wanted, the preferred one first; empty: any.
	ACR []string
	// MaxAge is how long ago the user may have signed in; nil: any time.
	MaxAge *time.Duration
}

// justNow is an age at which signing in again changes nothing: the request that follows a sign-in is not made in the same second. It also
// covers clocks that differ a little.
const justNow = 30 * time.Second

// ahead is how far a provider's clock may go before ours. A sign-in later in the future than this is none.
const ahead = 2 * time.Minute

// NeedsAgain reports whether another sign-in could satisfy a challenge: whether u lacks what it asks for. If u has it already, and an upstream still says no,
// another sign-in would be the beginning of a loop.
func NeedsAgain(challenge StepUp, u *Subject, now time.Time) bool {
	if u == nil {
		return true
	}
	if u.id.Kind != KindSession {
		return false // nobody signs in an API key
	}
	age, known := u.authAge(now)
	switch {
	case len(challenge.ACR) > 0 && !slices.Contains(challenge.ACR, u.id.ACR):
		return true
	case challenge.MaxAge != nil:
		return !known || age > challenge.allowance()
	case len(challenge.ACR) == 0: // it does not say what is missing
		return !known || age > challenge.allowance()
	}
	return false
}

// Recent reports whether a sign-in at that time would be recent enough, as far as the challenge speaks of it.
func (s StepUp) Recent(at, now time.Time) bool { return now.Sub(at) <= s.allowance() }

// allowance is the age that a sign-in may have at which another would change nothing.
func (s StepUp) allowance() time.Duration {
	if s.MaxAge == nil {
		return justNow
	}
	return max(*s.MaxAge, justNow)
}

// authAge is how long ago u signed in, if that is known.
func (u *Subject) authAge(now time.Time) (time.Duration, bool) {
	age := now.Sub(u.id.AuthTime)
	if u.id.AuthTime.IsZero() || age < -ahead {
		return 0, false
	}
	return max(age, 0), true
}

// Query are the parameters of /bff/login that ask for exactly this. Where nothing is said of what is missing, it is a sign-in by the user's own hand: a provider that knows
// the user already would else send back the one that was not enough, again and again.
func (s StepUp) Query() url.Values {
	q := url.Values{}
	if len(s.ACR) > 0 {
		q.Set("acr_values", strings.Join(s.ACR, " "))
	}
	if len(q) == 0 && s.MaxAge == nil {
		q.Set("max_age", "0")
	}
	if s.MaxAge != nil {
		q.Set("max_age", strconv.FormatInt(int64(*s.MaxAge/time.Second), 10))
	}
	return q
}
