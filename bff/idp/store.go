package idp

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"
)

const (
	maxEntries = 10_000 // grants, sign-ins under way, sign-outs under way: each
	maxSpent   = 100    // spent refresh tokens that a family remembers
)

// store keeps the library's records. It hands out copies and takes them back only if nobody else did so
// meanwhile, so that of two requests with one code or one refresh token at most one gets tokens; the other one
// revokes the grant with everything that came of it (RFC 9700, section 4.14.2).
type store struct {
	mu       sync.Mutex
	grants   *bounded[*family]
	byCode   map[string]string // authorization code → grant ID
	byToken  map[string]string // refresh token, current or spent → grant ID
	sessions *bounded[*goidc.AuthnSession]
	logouts  *bounded[*goidc.LogoutSession]
}

// family is a grant and the refresh tokens that came of it.
type family struct {
	grant   *goidc.Grant
	version int
	spent   []string // oldest first
}

// versionKey names the member of a copy's Store that says what the copy was made of.
const versionKey = "idp.version"

var errReused = goidc.NewError(goidc.ErrorCodeInvalidGrant, "invalid grant")

func newStore() *store {
	s := &store{byCode: map[string]string{}, byToken: map[string]string{}}
	s.grants = newBounded(maxEntries, s.unindex)
	s.sessions = newBounded[*goidc.AuthnSession](maxEntries, nil)
	s.logouts = newBounded[*goidc.LogoutSession](maxEntries, nil)
	return s
}

// SaveGrant implements goidc.GrantManager. A revocation always wins; any other write of an outdated copy is a
// second use of what made it, and revokes the grant.
func (s *store) SaveGrant(_ context.Context, g *goidc.Grant) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, known := s.grants.get(g.ID)
	if !known {
		f = &family{grant: copyGrant(g, 1), version: 1}
		s.grants.put(g.ID, f)
		s.index(f.grant)
		return nil
	}
	base, _ := g.Store[versionKey].(int)
	outdated := base != f.version && base != 0
	if g.RevokedAt != 0 || outdated || f.grant.RevokedAt != 0 {
		s.revoke(f)
		if g.RevokedAt == 0 {
			return errReused
		}
		return nil
	}
	if old := f.grant.RefreshToken; old != "" && old != g.RefreshToken {
		f.spent = append(f.spent, old)
	}
	for len(f.spent) > maxSpent {
		delete(s.byToken, f.spent[0])
		f.spent = f.spent[1:]
	}
	f.version++
	f.grant = copyGrant(g, f.version)
	s.index(f.grant)
	return nil
}

func (s *store) index(g *goidc.Grant) {
	if g.AuthCode != "" {
		s.byCode[g.AuthCode] = g.ID
	}
	if g.RefreshToken != "" {
		s.byToken[g.RefreshToken] = g.ID
	}
}

func (s *store) unindex(f *family) {
	delete(s.byCode, f.grant.AuthCode)
	delete(s.byToken, f.grant.RefreshToken)
	for _, t := range f.spent {
		delete(s.byToken, t)
	}
}

// revoke ends a family for good.
func (s *store) revoke(f *family) {
	if f.grant.RevokedAt == 0 {
		f.grant.RevokedAt = int(time.Now().Unix())
		f.version++
	}
}

// Grant implements goidc.GrantManager.
func (s *store) Grant(_ context.Context, id string) (*goidc.Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.copyOf(id)
}

// GrantByAuthCode implements goidc.AuthManager.
func (s *store) GrantByAuthCode(_ context.Context, code string) (*goidc.Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.copyOf(s.byCode[code])
}

// GrantByRefreshToken implements goidc.RefreshTokenManager. A spent token is the sign of a theft: it revokes its family.
func (s *store) GrantByRefreshToken(_ context.Context, token string) (*goidc.Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.byToken[token]
	if f, ok := s.grants.get(id); ok && slices.Contains(f.spent, token) {
		s.revoke(f)
	}
	return s.copyOf(id)
}

// RevokeSession revokes the grants of one session at the provider, but those with offline_access, which outlive it
// (OpenID Connect Back-Channel Logout 1.0, section 2.7).
func (s *store) RevokeSession(sid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.grants.entries {
		if f.grant.Store[storeSID] == sid && !slices.Contains(scopes(f.grant.Scopes), goidc.ScopeOfflineAccess.ID) {
			s.revoke(f)
		}
	}
}

// copyOf returns a copy that says what it was made of.
func (s *store) copyOf(id string) (*goidc.Grant, error) {
	f, ok := s.grants.get(id)
	if !ok {
		return nil, goidc.ErrNotFound
	}
	return copyGrant(f.grant, f.version), nil
}

func copyGrant(g *goidc.Grant, version int) *goidc.Grant {
	c := *g
	c.Store = maps.Clone(g.Store)
	if c.Store == nil {
		c.Store = map[string]any{}
	}
	c.Store[versionKey] = version
	return &c
}

// SaveSession implements goidc.AuthManager: a sign-in under way.
func (s *store) SaveSession(_ context.Context, as *goidc.AuthnSession) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions.put(as.ID, copySession(as))
	return nil
}

// Session implements goidc.AuthManager.
func (s *store) Session(_ context.Context, id string) (*goidc.AuthnSession, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	as, ok := s.sessions.get(id)
	if !ok {
		return nil, goidc.ErrNotFound
	}
	return copySession(as), nil
}

func copySession(as *goidc.AuthnSession) *goidc.AuthnSession {
	c := *as
	c.Store = maps.Clone(as.Store)
	return &c
}

// SaveLogoutSession implements goidc.LogoutManager: a sign-out under way.
func (s *store) SaveLogoutSession(_ context.Context, ls *goidc.LogoutSession) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := *ls
	s.logouts.put(ls.ID, &c)
	return nil
}

// LogoutSession implements goidc.LogoutManager.
func (s *store) LogoutSession(_ context.Context, id string) (*goidc.LogoutSession, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ls, ok := s.logouts.get(id)
	if !ok {
		return nil, goidc.ErrNotFound
	}
	c := *ls
	return &c, nil
}

// refuseJTI answers the library's question whether a JWT ID is new. Nothing here takes JWTs from clients, so it is never asked.
func refuseJTI(context.Context, string) error {
	return errors.New("no JWTs are taken from clients")
}
