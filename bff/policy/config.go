package policy

import (
	"time"

	"cloakroom/configs/secret"
)

// Config is what all rules share.
type Config struct {
	// TimeZone is where `now.hour`, `now.weekday` and their like are read off in expressions: a name of the IANA database, such as Europe/Berlin.
	TimeZone string `yaml:"time_zone" default:"UTC" example:"Europe/Berlin"`
	// MapRoles turns the names that providers and other issuers give to roles into yours: {grp-4711: [support]}. A name that is not here stays as it is; one that is here is no role itself any more.
	MapRoles map[string][]string `yaml:"map_roles" default:"{}" example:"{grp-4711: [support]}"`
	// InheritRoles are the roles that another one includes: {admin: [support], support: [customer]} makes an admin a customer too.
	InheritRoles map[string][]string `yaml:"inherit_roles" default:"{}" example:"{admin: [support], support: [customer]}"`
}

// Terms are what a rule can ask for. All that is given must hold.
type Terms struct {
	// Roles are those of which the user or caller must have one. Names are compared letter by letter. Without any, no role is asked for.
	Roles []string `yaml:"roles" default:"[]" example:"[support, admin]"`
	// Scopes are those of which the user's token, or the caller, must have all.
	Scopes []string `yaml:"scopes" default:"[]" example:"[orders.write]"`
	// When is an expression in CEL that must be true, over user, session, request, resource and now: docs/rules.md lists what they have. An attribute that is not there, and any error, refuses.
	When string `yaml:"when" default:"" example:"request.method == \"GET\" || \"support\" in user.roles"`
	// OPA asks an Open Policy Agent: a URL of its data API, or keys.
	OPA OPAConfig `yaml:"opa" short:"url"`
	// ACR is how users must have signed in: one value of `acr`, or several of which one must hold, the preferred one first. Others are answered 401 with a URL that asks for it.
	ACR []string `yaml:"acr" default:"[]" single:"true" example:"urn:mfa"`
	// MaxAuthAge is how long ago users may have signed in. Older ones are answered 401 with a URL that asks them to sign in again. Between 1m and 720h; 0s: no limit.
	MaxAuthAge time.Duration `yaml:"max_auth_age" default:"0s" example:"15m"`
}

// Rule is a rule with a name, for any number of routes.
type Rule struct {
	Terms `yaml:",inline"`
	// ReportOnly counts and logs what the rule would refuse, and refuses nothing.
	ReportOnly bool `yaml:"report_only" default:"false"`
}

// Allow is who may use a route, beside `auth`. All that is given must hold.
type Allow struct {
	Terms `yaml:",inline"`
	// Rules are names of `rules`, all of which must hold.
	Rules []string `yaml:"rules" default:"[]" example:"[business_hours]"`
	// ReportOnly are those that are counted and logged but refuse nothing: roles, scopes, when, opa, acr, max_auth_age, or names of rules.
	ReportOnly []string `yaml:"report_only" default:"[]" example:"[opa]"`
}

// OPAConfig is a question to an Open Policy Agent. A single word is its `url`.
type OPAConfig struct {
	// URL is the decision's place in the data API, as in http://localhost:8181/v1/data/orders/allow. It is true, or an object whose `allow` is true; all else refuses. https, or http where nobody else listens.
	URL string `yaml:"url" default:"" example:"http://localhost:8181/v1/data/orders/allow"`
	// Timeout is how long an answer may take; without one the request is answered 503. Between 10ms and 10s.
	Timeout time.Duration `yaml:"timeout" default:"500ms"`
	// Cache is how long an answer holds for the same question, whatever the time of day in it. 0s asks each time. At most 1m.
	Cache time.Duration `yaml:"cache" default:"1s"`
	// Headers are the request's headers that the agent is told, by name. Never credentials: an agent writes what it is told into its log.
	Headers []string `yaml:"headers" default:"[]" example:"[X-Tenant]"`
	// Token authenticates this server at the agent (`Authorization: Bearer`), where it asks for that.
	Token secret.String `yaml:"token" default:"" example:"${file:/run/secrets/opa}"`
}
