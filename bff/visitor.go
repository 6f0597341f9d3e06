package bff

import (
	"strings"

	"cloakroom/bff/edge"
	"cloakroom/bff/inbound"
	"cloakroom/bff/limit"
	"cloakroom/bff/policy"
	"cloakroom/configs"
	"cloakroom/proxy"
	"cloakroom/session"
)

// visitor is who makes a request: the user of a session, a caller with a credential of its own, or nobody. It is never both (AUN-01).
type visitor struct {
	sess   *session.Session
	caller *inbound.Caller
	known  *acquaintance // nil: nobody
}

// acquaintance is what one generation has worked out of an identity. Of a session it is kept beside the copy, and shared by requests.
type acquaintance struct {
	subject *policy.Subject
	roles   []string // as everybody is told: mapped, and with those that they include
	user    string   // as limits count it
}

// subject is the visitor as rules see it; nil is nobody.
func (v visitor) subject() *policy.Subject {
	if v.known == nil {
		return nil
	}
	return v.known.subject
}

// meet works out who the user of a session is to this generation's rules.
func (s *site) meet(sess *session.Session) *acquaintance {
	return sess.Memo(s.policies, func() any {
		id := userOf(sess)
		id.Scopes = s.scopesOf(sess)
		return acquaint(s.cfg, s.policies, id)
	}).(*acquaintance)
}

// userOf is the user of a session.
func userOf(sess *session.Session) policy.Identity {
	return policy.Identity{
		Kind: policy.KindSession, Issuer: sess.Issuer, Subject: sess.Subject, Provider: sess.Provider, Session: string(sess.ID()), ACR: sess.ACR,
		AuthTime: sess.AuthTime, Created: sess.Created, Roles: sess.Roles, Scopes: sess.Scopes, Claims: sess.Claims,
	}
}

// scopesOf are a session's scopes. One that a version before this wrote has none of its own until its next refresh: then they are what the token endpoint has granted, if it said
// so. Where they are in a claim, nobody can say yet.
func (s *site) scopesOf(sess *session.Session) []string {
	if k := s.providers[sess.Provider]; sess.Scopes == nil && k != nil && k.made.cfg.ScopesClaim == "" {
		return strings.Fields(sess.Tokens.Scope)
	}
	return sess.Scopes
}

// meetCaller is the same for a caller.
func meetCaller(cfg *configs.Config, set *policy.Set, c *inbound.Caller) *acquaintance {
	return acquaint(cfg, set, policy.Identity{
		Kind: c.Kind, Issuer: c.Issuer, Subject: c.Subject, ACR: c.ACR, AuthTime: c.AuthTime, Roles: c.Roles, Scopes: c.Scopes, Claims: c.Claims,
	})
}

func acquaint(cfg *configs.Config, set *policy.Set, id policy.Identity) *acquaintance {
	u := set.Subject(id)
	roles := id.Roles // as the provider has them, in its order
	if p := &cfg.Policy; len(p.MapRoles)+len(p.InheritRoles) > 0 {
		roles = u.Roles()
	}
	return &acquaintance{subject: u, roles: roles, user: limit.User(id.Issuer, id.Subject)}
}

// rolesOf are a session's roles as everybody is told.
func (s *site) rolesOf(sess *session.Session) []string { return s.meet(sess).roles }

// user is the visitor as the route's own headers may name it.
func (v visitor) user() proxy.User {
	switch {
	case v.sess != nil:
		return proxy.User{Issuer: v.sess.Issuer, Subject: v.sess.Subject, Roles: v.known.roles, Claims: v.sess.Claims}
	case v.caller != nil:
		return proxy.User{Issuer: v.caller.Issuer, Subject: v.caller.Subject, Roles: v.known.roles, Claims: v.caller.Claims}
	}
	return proxy.User{}
}

// who is the visitor as limits count it.
func (v visitor) who(rec *edge.Record) limit.Who {
	w := limit.Who{Client: rec.ClientIP}
	switch {
	case v.sess != nil:
		w.User, w.Session = v.known.user, string(v.sess.ID())
	case v.caller != nil:
		w.Caller = v.caller.Kind + ":" + v.caller.ID
	}
	return w
}
