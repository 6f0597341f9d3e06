package configs

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cloakroom/bff/inbound"
	"cloakroom/bff/limit"
	"cloakroom/bff/policy"
	"cloakroom/proxy"
)

// Proxied are the routes without their rules, in the same order.
func (c *Config) Proxied() []proxy.Config {
	routes := make([]proxy.Config, len(c.Routes))
	for i, r := range c.Routes {
		routes[i] = r.Config
	}
	return routes
}

// CredentialHeaders are the headers in which callers bring credentials that no other rule keeps from upstreams and rules.
func (c *Config) CredentialHeaders() []string {
	if c.Callers.APIKey.Header == "" {
		return nil
	}
	return []string{c.Callers.APIKey.Header}
}

// validateRules reports what is wrong between the rules and the routes that they are for.
func (c Config) validateRules(report func(key, problem string)) {
	policy.CheckRules(c.Rules, func(key, problem string) { report("rules."+key, problem) })
	set, err := policy.NewSet(c.Policy, c.Rules, c.CredentialHeaders()...)
	for i, r := range c.Routes {
		key := fmt.Sprintf("routes[%d].", i)
		if r.Auth == "none" && len(r.Callers) == 0 && asksWho(r.Allow.Terms) {
			report(key+"allow", "asks who it is, and auth: none says that nobody is; say auth: required, or let callers in")
		}
		if err != nil {
			continue // what is wrong with the rules themselves is reported where they stand
		}
		wrong := false
		inside := func(sub, problem string) { wrong = true; report(key+"allow."+sub, problem) }
		if set.Check(r.Allow, r.Resource.On(), inside); wrong {
			continue
		}
		p, err := set.Compile(r.Allow, r.Resource.On())
		if err != nil {
			eachMistake(err, r.Allow, inside)
			continue
		}
		if r.Resource.On() && !p.Asks() {
			report(key+"resource", "is looked up for nobody: no rule of the route asks about `resource`, and no agent is told of it; take it out, or ask about it in allow")
		}
		c.validateAttributes(p, r, func(problem string) { report(key+"allow", problem) })
	}
}

// validateAttributes reports what rules ask about that no request and no user can have: such a rule would refuse everybody.
func (c Config) validateAttributes(p *policy.Policy, r Route, report func(problem string)) {
	for _, name := range p.PathValues() {
		if !slices.Contains(r.PathValues(), name) {
			report(fmt.Sprintf("asks about request.values.%s, and the path has no {%s}", name, name))
		}
	}
	if problem := c.noRoles(r); problem != "" {
		report(problem)
	}
	if slices.Contains(r.Callers, inbound.KindBearer) {
		return // whose claims nobody lists
	}
	for _, name := range p.Claims() {
		if problem := c.noClaim(name, true); problem != "" {
			report(problem)
		}
	}
}

// noRoles says that a route wants a role and nobody who may come has one.
func (c Config) noRoles(r Route) string {
	wants := len(r.Allow.Roles) > 0
	for _, name := range r.Allow.Rules {
		wants = wants || len(c.Rules[name].Roles) > 0
	}
	if !wants || len(r.Callers) > 0 { // callers have roles by their keys, names or tokens
		return ""
	}
	for _, p := range c.Providers {
		if p.RolesClaim != "" {
			return ""
		}
	}
	return "wants a role, and no session has one; say in " + c.anyProvider() + ".roles_claim which claim has them, such as realm_access.roles"
}

// anyProvider is where the provider's keys stand, if there is one only.
func (c Config) anyProvider() string {
	if len(c.Providers) == 1 {
		for name := range c.Providers {
			return "providers." + name
		}
	}
	return "providers.NAME"
}

// asksWho tells whether terms are about who makes a request.
func asksWho(t policy.Terms) bool {
	return len(t.Roles) > 0 || len(t.Scopes) > 0 || len(t.ACR) > 0 || t.MaxAuthAge > 0
}

// eachMistake reports what only compiling finds; what is wrong with a by itself is reported by its own Validate.
func eachMistake(err error, a policy.Allow, report func(key, problem string)) {
	own := map[string]bool{}
	a.Validate(func(key, _ string) { own[key] = true })
	a.OPA.Validate(func(key, _ string) { own["opa."+key] = true })
	all, joined := err.(interface{ Unwrap() []error })
	if !joined {
		report("", err.Error())
		return
	}
	for _, one := range all.Unwrap() {
		m, ok := errors.AsType[*policy.Mistake](one)
		switch {
		case !ok:
			report("", one.Error())
		case !own[m.Key]:
			report(m.Key, m.Problem)
		}
	}
}

// nobodyCounts says that a limit is for each of those whom the route does not know, so that everybody at an address would share one.
func nobodyCounts(r Route, l limit.Limit) string {
	if r.Auth != "none" || len(r.Callers) > 0 || !slices.Contains([]string{"user", "session", "caller"}, l.Per) {
		return ""
	}
	return fmt.Sprintf("per: %s counts nobody, since auth: none says that nobody is known here; write per: ip, or per: route", l.Per)
}

// validateLimits reports routes that name shared limits which there are not, or count those whom they do not know.
func (c Config) validateLimits(report func(key, problem string)) {
	all := slices.Sorted(maps.Keys(c.Limits.Shared))
	for i, r := range c.Routes {
		c.Limits.CheckRoute(r.Limit, func(j int, problem string) { report(fmt.Sprintf("routes[%d].limit[%d]", i, j), problem) })
		for j, l := range r.Limit {
			if l.Shared == "" {
				if problem := nobodyCounts(r, l); problem != "" {
					report(fmt.Sprintf("routes[%d].limit[%d].per", i, j), problem)
				}
				continue
			}
			if _, ok := c.Limits.Shared[l.Shared]; ok {
				continue
			}
			problem := fmt.Sprintf("%q is none of limits.shared", l.Shared)
			if best := nearest(l.Shared, all); best != "" {
				problem += fmt.Sprintf(", did you mean %q?", best)
			} else if len(all) > 0 && len(all) <= 20 {
				problem += "; there are " + strings.Join(all, ", ")
			} else if len(all) == 0 {
				problem += fmt.Sprintf("; in the main file write, for example, limits: {shared: {%s: {rate: 60/1m}}}", l.Shared)
			}
			report(fmt.Sprintf("routes[%d].limit[%d].shared", i, j), problem)
		}
	}
}

// callersExample is what the least of each kind of callers looks like.
var callersExample = map[string]string{
	inbound.KindAPIKey:      "{header: X-API-Key}",
	inbound.KindBasic:       "{file: users.htpasswd}",
	inbound.KindBearer:      "[{issuer: https://id.example.com, audience: orders}]",
	inbound.KindCertificate: "{ca: clients.pem, names: [{dns: orders.internal}]}",
}

// validateCallers reports callers that routes would let in and nobody knows, and what does not go with them.
func (c Config) validateCallers(report func(key, problem string)) {
	known := c.Callers.Kinds()
	for i, r := range c.Routes {
		key := fmt.Sprintf("routes[%d].", i)
		for j, kind := range r.Callers {
			if !slices.Contains(known, kind) {
				report(fmt.Sprintf("%scallers[%d]", key, j), fmt.Sprintf("%s needs callers.%s, which says who they are: in the main file write, for example, callers: {%s: %s}", kind, kind, kind, callersExample[kind]))
			}
		}
		if r.PassCredentials && !slices.Contains(r.Callers, inbound.KindBearer) {
			report(key+"pass_credentials", "is for access tokens of callers, and the route takes none; add bearer to callers")
		}
	}
	if c.Callers.Basic.File != "" && !strings.HasPrefix(c.Server.PublicURL, "https:") {
		report("callers.basic", "needs a public_url with https: anybody on the way could read the passwords")
	}
	if c.Callers.APIKey.Header != "" && c.Session.Store == "memory" {
		report("callers.api_key", "needs session.store: redis, where the keys are kept")
	}
	if c.Callers.Certificate.CA != "" && c.Callers.Certificate.Header == "" && !c.Server.TLS.Enabled() {
		report("callers.certificate", "needs server.tls, or header: Client-Cert of a proxy that ends TLS: nobody else can ask for certificates")
	}
	if c.Callers.Certificate.Header != "" && len(c.Server.TrustedProxies) == 0 {
		report("callers.certificate.header", "is believed from server.trusted_proxies alone, and there are none")
	}
}
