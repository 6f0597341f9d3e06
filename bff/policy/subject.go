package policy

import (
	"maps"
	"slices"
	"time"
)

// The kinds of an Identity.
const (
	KindSession     = "session"
	KindAPIKey      = "api_key"
	KindBasic       = "basic"
	KindBearer      = "bearer"
	KindCertificate = "certificate"
)

// Identity is who asks: the user of a session, or a caller without one.
type Identity struct {
	// Kind is one of the constants.
	Kind string
	// Issuer and Subject are who it is; Provider is the name of the provider that the user signed in with. What does not exist is empty.
	Issuer, Subject, Provider string
	// Session is the session's ID. Rules do not see it.
	Session string
	// ACR is how the user signed in, AuthTime when, and Created when the session began; empty and zero where nobody said.
	ACR               string
	AuthTime, Created time.Time
	// Roles are the issuer's names for a session and a bearer token, which Config.MapRoles turns into ours; for other kinds they are ours already. Scopes are what was granted.
	Roles, Scopes []string
	// Claims are as encoding/json decodes them.
	Claims map[string]any
}

// Subject is an Identity as rules see it. It never changes, and can be used by any number of requests at the same time.
type Subject struct {
	id     Identity
	roles  []string // effective, sorted
	scopes []string // sorted
	has    map[string]struct{}
	may    map[string]struct{}
	boxed  boxedSubject
}

// Subject makes the Subject of id: once for each copy of a session, not for each request.
func (s *Set) Subject(id Identity) *Subject {
	u := &Subject{id: id, scopes: slices.Compact(slices.Sorted(slices.Values(id.Scopes)))}
	u.roles = s.roles.effective(id.Roles, id.Kind == KindSession || id.Kind == KindBearer)
	u.id.Roles, u.id.Scopes, u.id.Claims = slices.Clone(id.Roles), slices.Clone(id.Scopes), maps.Clone(id.Claims)
	u.has, u.may = setOf(u.roles), setOf(u.scopes)
	u.boxed = u.box()
	return u
}

// Roles are the effective roles: mapped, and with those that they include. Sorted.
func (u *Subject) Roles() []string { return slices.Clone(u.roles) }

func setOf(names []string) map[string]struct{} {
	set := make(map[string]struct{}, len(names))
	for _, n := range names {
		set[n] = struct{}{}
	}
	return set
}
