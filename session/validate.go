package session

import (
	"fmt"
	"strings"
	"time"

	"github.com/alecthomas/units"

	"cloakroom/configs/secret"
)

// MinSecret is the length of the shortest secret that seals sessions, in bytes.
const MinSecret = 32

// maxSecrets bounds how many secrets are tried on each session, two rotations' worth with room.
const maxSecrets = 8

// maxPerUser bounds what each sign-in looks through while the store does nothing else.
const maxPerUser = 1000

// maxLifetime is how long browsers keep a cookie at most (RFC 6265bis, section 5.5).
const maxLifetime = 400 * 24 * time.Hour

// minStaleness keeps the pings, four in each, from being a load of their own; maxStaleness is how long an end may go unheard at worst.
const minStaleness, maxStaleness = 100 * time.Millisecond, time.Minute

// Validate reports what is wrong with c, key by key.
func (c Config) Validate(report func(key, problem string)) {
	switch {
	case c.Lifetime > maxLifetime:
		report("lifetime", fmt.Sprintf("%v is more than 9600h (400 days), after which browsers forget any cookie", c.Lifetime))
	case c.IdleTimeout < 10*time.Second:
		report("idle_timeout", fmt.Sprintf("%v is shorter than 10s, which signs people out between two clicks", c.IdleTimeout))
	case c.IdleTimeout >= c.Lifetime:
		report("idle_timeout", fmt.Sprintf("%v must be shorter than session.lifetime (%v)", c.IdleTimeout, c.Lifetime))
	}
	if c.MaxPerUser < 0 || c.MaxPerUser > maxPerUser {
		report("max_per_user", fmt.Sprintf("%d is not between 0 (no limit) and %d", c.MaxPerUser, maxPerUser))
	}
	if c.MaxPerUser == 0 && c.OnLimit == OnLimitRefuse {
		report("on_limit", "refuses nothing without session.max_per_user; set that, or leave this out")
	}
	if c.MaxSize < 4*units.KiB || c.MaxSize > units.MiB {
		report("max_size", fmt.Sprintf("%v is not between 4KiB and 1MiB", c.MaxSize))
	}
	if c.Staleness != 0 && (c.Staleness < minStaleness || c.Staleness > maxStaleness) {
		report("staleness", fmt.Sprintf("%v is neither 0 nor between 100ms and 1m", c.Staleness))
	}
	c.validateSecrets(report)
	if problem := badCookieName(c.Cookie.Name); problem != "" {
		report("cookie.name", problem)
	}
}

func (c Config) validateSecrets(report func(key, problem string)) {
	if len(c.Secrets) > maxSecrets {
		report("secrets", fmt.Sprintf("are %d, and each is tried on every session; keep at most %d", len(c.Secrets), maxSecrets))
	}
	seen := map[secret.String]bool{}
	for i, s := range c.Secrets {
		key := fmt.Sprintf("secrets[%d]", i)
		if problem := s.Weakness(MinSecret); problem != "" {
			report(key, problem)
		}
		if seen[s] {
			report(key, "is there twice; keep one of them")
		}
		seen[s] = true
	}
}

// badCookieName says why name is no name for the session cookie. The prefix is what makes a browser refuse the
// cookie from a sibling domain, from plain http and, for __Host-Http-, from a script (RFC 6265bis, section 4.1.3).
func badCookieName(name string) string {
	rest, ok := strings.CutPrefix(name, "__Host-")
	rest = strings.TrimPrefix(rest, "Http-")
	switch {
	case strings.ContainsAny(name, ";,="):
		return fmt.Sprintf("%q sets more than a name; Path, Domain and the other attributes are fixed", name)
	case !ok:
		return fmt.Sprintf("%q must start with __Host-Http- or __Host-, in these very letters", name)
	case rest == "" || len(name) > 64:
		return fmt.Sprintf("%q needs 1 to 50 characters after its prefix", name)
	case strings.ContainsFunc(rest, notToken):
		return fmt.Sprintf("%q has a character that no cookie name may have; use letters, digits, - and _", name)
	case strings.HasPrefix(rest, "login-"):
		return fmt.Sprintf("%q is where the cookies of sign-ins under way begin; take another", name)
	}
	return ""
}

// notToken is narrower than RFC 9110's token: servers and scripts disagree about the rest.
func notToken(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	return !letter && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}
