package bff

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"cloakroom/bff/assertion"
	"cloakroom/bff/inbound"
	"cloakroom/bff/limit"
	"cloakroom/bff/policy"
	"cloakroom/bff/static"
	"cloakroom/configs"
	"cloakroom/proxy"
	"cloakroom/session"
)

// site is one generation of the configuration: all that it says and that may change while the server runs. What lives as long as the process
// is the Server's, which a site embeds. A request is answered by one site from its beginning to its end, whatever comes after it: the handlers are the
// site's methods, and find the others there and nowhere else.
type site struct {
	*Server
	cfg             *configs.Config
	before          *site // while wiring: the site that this one is to follow, or nil
	trusted         []netip.Prefix
	providers       map[string]*keeper
	providerNames   []string // sorted
	defaultProvider string
	logins          *loginCookies
	logoutStates    logoutStates
	assertions      *assertion.Signer // nil without keys
	callers         *inbound.Inbound  // nil without callers
	credentialsIn   string            // the headers in which they bring what they are known by; without them empty
	endCallers      func()            // ends what keeps them known; nil until start
	policies        *policy.Set
	limiter         *limit.Limiter
	rules           []rules // by the number of the route
	table           *proxy.Table
	resources       []string     // that users are asked for at sign-in, sorted
	files           http.Handler // nil without an app
	handler         http.Handler // the whole chain
	generation      int          // counted from 1
	stop            func()       // ends the table's background work; nil until start
}

// newSite wires a generation. It starts nothing and opens no connection. What has not changed since the one before goes on in this one.
func (s *Server) newSite(cfg *configs.Config, before *site) (*site, error) {
	n := &site{Server: s, cfg: cfg, before: before, defaultProvider: cfg.DefaultProvider, generation: 1}
	if before != nil {
		n.generation = before.generation + 1
	}
	for _, wire := range []func() error{n.wireTrust, n.wireProviders, n.wireCookies, n.wireAssertions, n.wireCallers, n.wireRules, n.wireRoutes, n.wireFiles} {
		if err := wire(); err != nil {
			if n.table != nil {
				n.table.Close()
			}
			return nil, err
		}
	}
	n.before = nil // or no generation would ever be forgotten
	n.handler = n.chain()
	return n, nil
}

func (s *site) wireTrust() error {
	for _, p := range s.cfg.Server.TrustedProxies {
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			return fmt.Errorf("server.trusted_proxies: %w", err)
		}
		s.trusted = append(s.trusted, prefix)
	}
	return nil
}

func (s *site) wireProviders() error {
	s.providers = make(map[string]*keeper, len(s.cfg.Providers))
	if len(s.cfg.Providers) == 1 {
		for s.defaultProvider = range s.cfg.Providers {
		}
	}
	for name, cfg := range s.cfg.Providers {
		k, err := s.keeper(name, cfg)
		if err != nil {
			return fmt.Errorf("providers.%s: %w", name, err)
		}
		s.providers[name] = k
		s.providerNames = append(s.providerNames, name)
	}
	slices.Sort(s.providerNames)
	return nil
}

// callbackPath is where a provider sends the browser back. Each has its own, because not every one names itself in its answer (RFC 9207): by the
// path alone an answer of one is not taken for another's. The default provider has the short one.
func (s *site) callbackPath(name string) string {
	if name == s.defaultProvider {
		return "/bff/callback"
	}
	return "/bff/callback/" + name
}

// wireCookies makes what is sealed with the session secrets and is no session.
func (s *site) wireCookies() error {
	var keys [4][][]byte
	for i, purpose := range []string{"login cookie hash", "login cookie block", "logout state hash", "logout state block"} {
		var err error
		if keys[i], err = session.SealKeys(s.cfg.Session.Secrets, purpose); err != nil {
			return fmt.Errorf("session.secrets: %w", err)
		}
	}
	s.logins = newLoginCookies(keys[0], keys[1], s.cfg.Server.InsecureLocalhostCookies)
	s.logoutStates = newLogoutStates(keys[2], keys[3])
	return nil
}

func (s *site) wireRoutes() (err error) {
	s.table, err = proxy.Compile(s.cfg.Proxied(), s.cfg.Upstreams, proxy.Deps{
		Via: s.origin.Host, Log: s.log, Credentials: s.cfg.CredentialHeaders(), OnError: s.upstreamFailed, ObserveUpstream: observeUpstream, ObserveLeg: s.metrics.leg, ObserveCheck: s.metrics.checked, ObserveHeader: s.metrics.headerLeftOut, Room: s.room, ParseResource: policy.ParseResource,
	}, s.tableBefore())
	if err != nil {
		return fmt.Errorf("routes: %w", err)
	}
	for _, rt := range s.table.Routes() {
		s.rules[rt.Index()].value = rt.Value
	}
	s.resources = resources(s.table)
	return nil
}

func (s *site) wireFiles() (err error) {
	if s.cfg.SPA.Dir == "" && s.cfg.SPA.DevServer == "" && s.spa == nil {
		return nil
	}
	if s.before != nil && s.before.files != nil && s.before.cfg.SPA == s.cfg.SPA {
		s.files = s.before.files // which knows its files' hashes, or keeps the development server's connections
		return nil
	}
	s.files, err = static.New(s.cfg.SPA, static.Deps{Log: s.log, Files: s.spa, Origin: s.origin.String(), OnError: s.filesFailed})
	if err != nil {
		return fmt.Errorf("spa: %w", err)
	}
	return nil
}
