package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

var (
	// ErrGrantRefused is wrapped by Target.Fetch, and by Granted.Refused, where the provider does not grant what was asked, or granted something else. The session stands.
	ErrGrantRefused = errors.New("grant refused")
	// ErrNotAsked means that the sign-in did not ask for the grant's resource: only a new sign-in can.
	ErrNotAsked = errors.New("resource was not asked for at sign-in")
)

// MaxGrants bounds the grants of a session. The one that was fetched longest ago makes room for another.
const MaxGrants = 16

// Grant is one access token for one audience, made from a user's session.
type Grant struct {
	// Key is its target's.
	Key string
	// Access goes to upstreams as the bearer.
	Access string
	// Issued and Expires bound its life; neither is zero.
	Issued, Expires time.Time
}

// Target says which grant is wanted, and how it is fetched.
type Target struct {
	// Key names the grant among the session's: the same on every replica and in every process for the same token, and for no other. Not empty.
	Key string
	// Spends tells that Fetch sends the session's refresh token. It is a refresh then, and recorded like one. Otherwise Fetch may be called again and again.
	Spends bool
	// Resource is the mark among Session.Resources that the grant needs; empty: none.
	Resource string
	// Fetch makes one call to the provider, with the tokens of s, and returns before ctx's deadline. An error wraps ErrGrantRefused where the provider refuses this
	// grant; where it Spends, also those of Deps.Refresh. Errors must hold no token: they are logged.
	Fetch func(ctx context.Context, s *Session) (Granted, error)
}

// Granted is what a provider answered to a request for a grant.
type Granted struct {
	// Refreshed has the grant in Tokens.Access, Issued and Expires. Where the call spent the refresh token, everything else is as after a refresh.
	Refreshed
	// Refused says why the access token may not be used. What else came is kept all the same. It wraps ErrGrantRefused.
	Refused error
}

// Grant returns the session's grant for t, and fetches it if it has none that is good for a while. However many ask, on whatever replicas, it is fetched once.
//
// ErrGrantRefused if the provider does not give it, ErrNotAsked if this sign-in cannot have it, ErrNone if the session is gone, ErrNoToken if it
// cannot be had just now. While an old grant lives, the last one is not reported: it serves.
func (m *Manager) Grant(ctx context.Context, s *Session, t Target) (Grant, error) {
	if g, ok := s.grant(t.Key); ok && !m.grantDue(s, g) {
		return g, nil
	}
	return m.granted(ctx, s, t, func(cur *Session) bool {
		g, ok := cur.grant(t.Key)
		return ok && !m.grantDue(cur, g)
	})
}

// OtherGrant is for after an upstream's 401 to old, as OtherToken is for the session's own token: it may return the same grant.
func (m *Manager) OtherGrant(ctx context.Context, s *Session, t Target, old Grant) (Grant, error) {
	may := sync.OnceValue(func() bool { return m.pauses.mayForce(errandKey{s.id, t.Key}, m.now()) })
	return m.granted(ctx, s, t, func(cur *Session) bool {
		g, ok := cur.grant(t.Key)
		return ok && (g.Access != old.Access || !may())
	})
}

// granted waits for a flight that brings a grant that is enough.
func (m *Manager) granted(ctx context.Context, s *Session, t Target, enough func(*Session) bool) (Grant, error) {
	if err := t.fits(s); err != nil {
		return Grant{}, err
	}
	cur, err := s, error(nil)
	if !t.Spends { // what is exchanged must be good itself
		cur, err = m.AccessToken(ctx, s)
	}
	if err == nil {
		waiting, cancel := context.WithTimeoutCause(ctx, m.refreshTimeout()+waitSlack, errSlow)
		defer cancel()
		cur, err = m.join(waiting, cur, errand{enough: enough, target: t})
	}
	switch {
	case err == nil:
		g, _ := cur.grant(t.Key)
		return g, nil
	case errors.Is(err, ErrSpent):
		return Grant{}, ErrSpent
	case errors.Is(err, ErrNone):
		return Grant{}, ErrNone
	case errors.Is(err, ErrGrantRefused), errors.Is(err, ErrNotAsked):
		return Grant{}, err
	case ctx.Err() != nil:
		return Grant{}, fmt.Errorf("wait for grant: %w", context.Cause(ctx)) // the client went away
	case errors.Is(err, errSlow) && m.over(s): // as in refresh
		return Grant{}, ErrNone
	}
	if g, ok := s.grant(t.Key); ok && m.now().Before(g.Expires) {
		return g, nil
	}
	return Grant{}, fmt.Errorf("%w: grant: %w", ErrNoToken, err)
}

func (m *Manager) grantDue(s *Session, g Grant) bool {
	return dueWithin(g.Issued, g.Expires, s.id, m.now())
}

// refusedMark stands before the mark of a resource that the provider refused when the session's refresh token was sent for it: it is not sent for it again.
const refusedMark = "!"

// fits reports whether a session may have this grant at all.
func (t Target) fits(s *Session) error {
	switch {
	case t.Spends && s.Tokens.Refresh == "":
		return fmt.Errorf("%w: the session has no refresh token", ErrGrantRefused)
	case t.Resource == "" || slices.Contains(s.Resources, t.Resource):
		return nil
	case slices.Contains(s.Resources, refusedMark+t.Resource):
		return fmt.Errorf("%w: the provider has refused the resource to this session before", ErrGrantRefused)
	}
	return ErrNotAsked
}

// grant is the session's grant of that key.
func (s *Session) grant(key string) (Grant, bool) {
	for _, g := range s.Grants {
		if g.Key == key {
			return g, true
		}
	}
	return Grant{}, false
}

// withGrant is s with another grant of that key, the newest. Those that have expired go, and the oldest where there are too many.
func (s *Session) withGrant(key string, t Tokens, now time.Time) *Session {
	next := *s
	next.Grants = slices.DeleteFunc(slices.Clone(s.Grants), func(g Grant) bool { return g.Key == key || !now.Before(g.Expires) })
	if t.Access != "" {
		t = t.bounded(now)
		next.Grants = append(next.Grants, Grant{Key: key, Access: t.Access, Issued: t.Issued, Expires: t.Expires})
	}
	next.Grants = next.Grants[max(0, len(next.Grants)-MaxGrants):]
	return &next
}

// changedScope reports whether the provider says of newer tokens that they are for something else.
func changedScope(before, after string) bool {
	words := func(scope string) []string {
		w := strings.Fields(scope)
		slices.Sort(w)
		return slices.Compact(w)
	}
	return before != "" && after != "" && before != after && !slices.Equal(words(before), words(after))
}
