package proxy

import (
	"fmt"
	"time"
)

// CacheConfig says who may keep a route's answers.
type CacheConfig struct {
	// Policy: `strict`: an answer for a signed-in user is kept by nobody unless the upstream itself says private; without a user the upstream's word holds. `private`: the user's own
	// browser may keep what the upstream says can be kept, and without a word of it for max_age; no shared cache may. `public`: for auth: none; anybody may, for max_age where the upstream
	// says nothing. `none`: nobody keeps anything.
	Policy string `yaml:"policy" default:"strict" enum:"strict,private,public,none"`
	// MaxAge is for how long an answer with status 200 to a GET may be kept on which the upstream says nothing. With private and public. At most 8760h.
	MaxAge time.Duration `yaml:"max_age" default:"0s"`
}

func (c Config) validateCache(report func(key, problem string)) {
	k := c.Cache
	switch {
	case k.MaxAge < 0 || k.MaxAge > 8760*time.Hour || k.MaxAge%time.Second != 0:
		report("cache.max_age", fmt.Sprintf("%v is not between 0s and 8760h in whole seconds", k.MaxAge))
	case k.MaxAge > 0 && k.Policy != "private" && k.Policy != "public":
		report("cache.max_age", "is for the policies private and public")
	}
	switch {
	case k.Policy == "public" && c.Auth != "none":
		report("cache.policy", "public would give one user's answer to the next, so it needs auth: none; say private")
	case k.Policy == "public" && k.MaxAge == 0:
		report("cache.max_age", "is missing; say for how long, such as 5m. Without it the upstream's own word holds already, with policy: strict")
	case k.Policy == "private" && c.Auth == "none":
		report("cache.policy", "private is for answers about a user, and with auth: none there is none; say public")
	case c.On() && (k.Policy == "private" || k.Policy == "public"):
		report("cache.policy", "is about an upstream's answer; a composed one is never kept")
	}
}
