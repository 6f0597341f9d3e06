package policy

import (
	"errors"
	"fmt"
	"net/textproto"
	"time"
)

// Set is what all policies share: the roles, the time zone and the named rules.
type Set struct {
	roles  roleTable
	zone   *time.Location
	rules  map[string]Rule
	hidden map[string]struct{}
	known  *expressions
}

// Mistake is one mistake in a configuration.
type Mistake struct {
	// Key is where, relative to the Allow, Rule or Config.
	Key string
	// Problem is what is wrong, and what would be right.
	Problem string
}

// Error makes a Mistake an error.
func (m Mistake) Error() string { return m.Key + ": " + m.Problem }

// NewSet makes the Set of a configuration. hidden are names of headers in which callers bring credentials: no rule and no agent sees them. Cookie, Authorization and
// Proxy-Authorization are always hidden. The error joins *Mistake.
func NewSet(cfg Config, rules map[string]Rule, hidden ...string) (*Set, error) {
	var mistakes []error
	at := func(prefix string) func(key, problem string) {
		return func(key, problem string) { mistakes = append(mistakes, &Mistake{prefix + key, problem}) }
	}
	cfg.Validate(at("policy."))
	CheckRules(rules, at("rules."))
	for name, r := range rules {
		r.Validate(at("rules." + name + "."))
		r.OPA.Validate(at("rules." + name + ".opa."))
	}
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	if cfg.TimeZone == "" {
		cfg.TimeZone = "UTC"
	}
	zone, err := loadZone(cfg.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("policy.time_zone: %w", err)
	}
	s := &Set{roles: newRoleTable(cfg), zone: zone, rules: rules, hidden: hiddenHeaders(), known: &expressions{known: map[string]compiled{}}}
	for _, name := range hidden {
		s.hidden[textproto.CanonicalMIMEHeaderKey(name)] = struct{}{}
	}
	return s, nil
}

// Compile makes the Policy of a route. hasResource is whether the route looks one up. The error joins *Mistake, whose keys are relative to a.
func (s *Set) Compile(a Allow, hasResource bool) (*Policy, error) {
	var mistakes []error
	report := func(key, problem string) { mistakes = append(mistakes, &Mistake{key, problem}) }
	a.validate(s.known.parse, report)
	a.OPA.Validate(func(key, problem string) { report("opa."+key, problem) })
	s.Check(a, hasResource, report)
	if err := errors.Join(mistakes...); err != nil {
		return nil, err
	}
	return s.compile(a, hasResource)
}
