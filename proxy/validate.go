package proxy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/units"

	"cloakroom/proxy/tokens"
)

// method is what a method must look like: registered ones are upper case, and methods are case-sensitive.
var method = regexp.MustCompile(`^[A-Z][A-Z-]{0,31}$`)

// wildcard is a segment of a pattern that stands for any segment, or, with dots, for the rest.
var wildcard = regexp.MustCompile(`^\{[A-Za-z_][A-Za-z0-9_]*(\.\.\.)?\}$`)

// Validate reports what is wrong with c, key by key.
func (c Config) Validate(report func(key, problem string)) {
	if problem := badPath(c.Path); problem != "" {
		report("path", problem)
	} else if problem := badStripPrefix(c.StripPrefix, c.Path); problem != "" {
		report("strip_prefix", problem)
	}
	c.validateUpstream(report)
	c.validateCompose(report)
	c.validateResource(report)
	c.validateMethods(report)
	c.validateLimits(report)
	c.validateHeaders(report)
	c.validateCORS(report)
	c.validateCache(report)
	c.validateToken("token", c.Token, report)
	for name, l := range c.Legs {
		c.validateToken("compose."+name+".token", l.Token, report)
	}
}

func (c Config) validateToken(key string, t tokens.Config, report func(key, problem string)) {
	if method := tokens.Of(t, true).Method; c.Auth == "none" && (t.Method == tokens.Session || method == tokens.Exchange || method == tokens.Refresh) {
		report(key, fmt.Sprintf("%s is made from a user's, and with auth: none there is no user; leave it out, or write client for one of Cloakroom's own", method))
	}
}

func (c Config) validateUpstream(report func(key, problem string)) {
	switch {
	case c.On():
		return // see validateCompose
	case c.Upstream == "" && len(c.Upstreams) == 0:
		report("upstream", "is missing; write a URL such as http://orders:9001/v2, or the name of one of `upstreams`")
	case c.Upstream != "" && len(c.Upstreams) > 0:
		report("upstreams", "stands beside upstream; all servers belong into upstreams")
	case c.UpstreamName() != "" && c.Health.Path != "":
		report("health", "belongs to the upstream that is named, under `upstreams`")
	case c.Upstream != "" && c.UpstreamName() == "":
		if _, problem := readAddress(c.Upstream); problem != "" {
			report("upstream", problem)
		}
	}
	validateURLs(c.Upstreams, "upstreams", report)
}

func (c Config) validateMethods(report func(key, problem string)) {
	for i, m := range c.Methods {
		key := fmt.Sprintf("methods[%d]", i)
		switch {
		case method.MatchString(strings.ToUpper(m)) && m != strings.ToUpper(m):
			report(key, fmt.Sprintf("%q must be upper case: %s", m, strings.ToUpper(m)))
		case !method.MatchString(m):
			report(key, fmt.Sprintf("%q is no method; write one such as GET", m))
		case forbiddenMethod(m):
			report(key, m+" never reaches an upstream: it shows headers, or opens a tunnel, past all rules; leave it out")
		case slices.Index(c.Methods, m) < i:
			report(key, m+" is there twice")
		}
	}
}

func (c Config) validateLimits(report func(key, problem string)) {
	if c.Timeout < time.Millisecond || c.Timeout > 10*time.Minute {
		report("timeout", fmt.Sprintf("%v is not between 1ms and 10m", c.Timeout))
	}
	if c.Idle < time.Millisecond || c.Idle > time.Hour {
		report("idle", fmt.Sprintf("%v is not between 1ms and 1h", c.Idle))
	}
	if c.Request.MaxBody < 1 || c.Request.MaxBody > units.TiB {
		report("request.max_body", fmt.Sprintf("%v is not between 1B and 1TiB", c.Request.MaxBody))
	}
	if c.Request.MinRate < 0 || c.Request.MinRate > units.MiB {
		report("request.min_rate", fmt.Sprintf("%v is not between 1B and 1MiB, or 0B for no limit", c.Request.MinRate))
	}
	if c.Response.MaxBody < 0 || c.Response.MaxBody > units.TiB {
		report("response.max_body", fmt.Sprintf("%v is not between 1B and 1TiB, or 0B for no limit", c.Response.MaxBody))
	}
}

// badPath says why path is no pattern. Only canonical paths reach the routes, so a pattern of any other form would never match.
func badPath(path string) string {
	switch {
	case path == "":
		return "is empty; write a pattern such as /api/"
	case strings.ContainsAny(path, " \t"):
		return fmt.Sprintf("%q has white space; methods have a key of their own", path)
	case path[0] != '/':
		return fmt.Sprintf("%q must start with /; a route cannot choose a host", path)
	case path == "/bff" || strings.HasPrefix(path, "/bff/"):
		return fmt.Sprintf("%q is under /bff, which is Cloakroom's own", path)
	case strings.ContainsAny(path, `?#%\;`):
		return fmt.Sprintf("%q has one of ? # %% \\ ; which no route can match; write the decoded path", path)
	}
	return badSegments(path)
}

func badSegments(path string) string {
	segments := strings.Split(path[1:], "/")
	names := map[string]bool{}
	for i, s := range segments {
		last := i == len(segments)-1
		switch {
		case s == "" && !last:
			return fmt.Sprintf("%q has an empty segment (//), which no request can have", path)
		case s == "." || s == "..":
			return fmt.Sprintf("%q has a dot segment, which no request can have", path)
		case last && s == "{$}" || !strings.ContainsAny(s, "{}"):
			continue
		case !wildcard.MatchString(s):
			return fmt.Sprintf("%q: %q is no wildcard; write {name} as a whole segment, or {name...} as the last", path, s)
		case strings.HasSuffix(s, "...}") && !last:
			return fmt.Sprintf("%q: %s takes the rest of the path, so it must be last", path, s)
		case names[strings.Trim(s, "{.}")]:
			return fmt.Sprintf("%q has the wildcard %s twice", path, s)
		}
		names[strings.Trim(s, "{.}")] = true
	}
	return ""
}

// badStripPrefix says why prefix cannot be cut from every path that the pattern matches.
func badStripPrefix(prefix, path string) string {
	switch {
	case prefix == "":
		return ""
	case prefix[0] != '/' || prefix == "/" || strings.HasSuffix(prefix, "/"):
		return fmt.Sprintf("%q must start with / and not end with it, such as /api", prefix)
	case strings.ContainsAny(prefix, "{}"):
		return fmt.Sprintf("%q cannot have a wildcard", prefix)
	case path != prefix && !strings.HasPrefix(path, prefix+"/"):
		return fmt.Sprintf("%q is not how path (%s) begins; whole segments are cut", prefix, path)
	}
	return ""
}
