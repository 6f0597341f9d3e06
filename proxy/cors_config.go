package proxy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// CORSConfig lets pages of other origins read a route's answers. Rarely needed: the app itself is of this origin.
type CORSConfig struct {
	// Origins are those whose pages may read, written out as browsers write them: https://partner.example. Neither * nor null.
	Origins []string `yaml:"origins" default:"[]"`
	// Methods are those that they may use. Default: the route's methods; GET, HEAD and POST where it takes all.
	Methods []string `yaml:"methods" default:"[]"`
	// Headers are those that their scripts may add to what browsers send by themselves. Never X-CSRF, which proves this origin.
	Headers []string `yaml:"headers" default:"[Content-Type]"`
	// Expose are the headers of the answer that their scripts may read besides the few that all may: Cache-Control, Content-Language, Content-Length, Content-Type, Expires, Last-Modified, Pragma.
	Expose []string `yaml:"expose" default:"[]"`
	// Credentials lets them use the session of the user. For origins of the same site only, such as https://admin.example.com beside https://app.example.com: the
	// session cookie goes nowhere else. Each of them can then do on this route what the user can.
	Credentials bool `yaml:"credentials" default:"false"`
	// MaxAge is how long a browser remembers the answer to a preflight request. At most 24h.
	MaxAge time.Duration `yaml:"max_age" default:"10m"`
}

func (c Config) validateCORS(report func(key, problem string)) {
	o := c.CORS
	if len(o.Origins) == 0 {
		for key, given := range map[string]bool{"methods": len(o.Methods) > 0, "expose": len(o.Expose) > 0, "credentials": o.Credentials} {
			if given {
				report("cors."+key, "is for the origins of cors.origins, and there are none")
			}
		}
		return
	}
	for i, origin := range o.Origins {
		key := fmt.Sprintf("cors.origins[%d]", i)
		switch problem := badOrigin(origin); {
		case problem != "":
			report(key, fmt.Sprintf("%q %s", origin, problem))
		case slices.Index(o.Origins, origin) < i:
			report(key, origin+" is there twice")
		}
	}
	c.validateCORSMethods(report)
	for i, name := range o.Headers {
		if problem := badRequestHeader(name); problem != "" {
			report(fmt.Sprintf("cors.headers[%d]", i), problem)
		}
	}
	for i, name := range o.Expose {
		if !headerName.MatchString(name) || responseRule.refuses(http.CanonicalHeaderKey(name)) && !ourAnswers(name) {
			report(fmt.Sprintf("cors.expose[%d]", i), fmt.Sprintf("%q is no name of a header that answers have here; * is not for all", name))
		}
	}
	switch {
	case o.Credentials && c.Auth == "none":
		report("cors.credentials", "is for the user's session, which auth: none does not read; leave it out")
	case c.CrossSiteNavigation:
		report("cors.origins", "is for answers that scripts read, cross_site_navigation for pages; make two routes")
	}
	if o.MaxAge < 0 || o.MaxAge > 24*time.Hour || o.MaxAge%time.Second != 0 {
		report("cors.max_age", fmt.Sprintf("%v is not between 0s and 24h in whole seconds", o.MaxAge))
	}
}

func (c Config) validateCORSMethods(report func(key, problem string)) {
	for i, m := range c.CORS.Methods {
		key := fmt.Sprintf("cors.methods[%d]", i)
		switch {
		case !method.MatchString(m) || forbiddenMethod(m):
			report(key, fmt.Sprintf("%q is no method for pages; write one such as GET", m))
		case len(c.Methods) > 0 && !slices.Contains(withHead(c.Methods), m):
			report(key, m+" is not among the route's methods")
		}
	}
}

// badRequestHeader says why scripts of other origins may not add a header.
func badRequestHeader(name string) string {
	switch canonical := http.CanonicalHeaderKey(name); {
	case !headerName.MatchString(name):
		return fmt.Sprintf("%q is no header's name; * is not for all", name)
	case canonical == "X-Csrf":
		return name + " proves that a request comes from this origin; who may add it from elsewhere proves the same"
	case strings.HasPrefix(canonical, "Sec-"), canonical == "Cookie", canonical == "Origin", canonical == "Host":
		return name + " is written by browsers alone"
	}
	return ""
}

// ourAnswers are headers that we put on answers ourselves, where an upstream's own do not pass.
func ourAnswers(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "X-Request-Id", "X-Cloakroom", "X-Cloakroom-Partial", "Retry-After":
		return true
	}
	return false
}
