package session

import (
	"time"

	"github.com/alecthomas/units"

	"cloakroom/configs/secret"
)

// Config says how long sessions live, how they are sealed and what their cookie looks like.
type Config struct {
	// IdleTimeout ends a session that made no request for this long. At least 10s, shorter than lifetime.
	IdleTimeout time.Duration `yaml:"idle_timeout" default:"30m"`
	// Lifetime ends a session this long after sign-in, whatever it does. At most 9600h (400 days).
	Lifetime time.Duration `yaml:"lifetime" default:"12h"`
	// MaxPerUser is how many sessions one user may have at a time, over all replicas. 0 is no limit; at most 1000.
	MaxPerUser int `yaml:"max_per_user" default:"0"`
	// OnLimit says what a sign-in beyond that does: `end_oldest` ends the session that was started first, `refuse` refuses the sign-in.
	OnLimit string `yaml:"on_limit" default:"end_oldest" enum:"end_oldest,refuse"`
	// Secrets seal the sessions, at least 32 bytes each, from a random source: the first seals, all of them open.
	Secrets []secret.String `yaml:"secrets" required:"true" example:"[\"${file:/run/secrets/session}\"]"`
	// MaxSize bounds the tokens and claims of one session; a larger sign-in is refused. Between 4KiB and 1MiB.
	MaxSize units.Base2Bytes `yaml:"max_size" default:"64KiB"`
	// Staleness is how long after its announcements last proved alive the store may be taken at its word: a signed-in request then asks
	// it nothing. An end is heard within milliseconds, and at worst after this long. 0 asks the store for each request; else between 100ms and 1m.
	Staleness time.Duration `yaml:"staleness" default:"2s"`
	// Cookie is the session cookie. It is always Secure, HttpOnly, Path=/ and without Domain.
	Cookie CookieConfig `yaml:"cookie"`
}

// OnLimitRefuse is the value of Config.OnLimit that refuses; any other ends the oldest session.
const OnLimitRefuse = "refuse"

// CookieConfig shapes the session cookie. It is always Secure, HttpOnly, Path=/ and without Domain.
type CookieConfig struct {
	// Name starts with __Host-Http- or __Host-, which makes browsers hold the server to those attributes.
	Name string `yaml:"name" default:"__Host-Http-session"`
	// SameSite is `strict`, or `lax` where other sites' links must arrive signed in.
	SameSite string `yaml:"same_site" default:"strict" enum:"strict,lax"`
	// Persist keeps the cookie when the browser closes, until the session's lifetime ends.
	Persist bool `yaml:"persist" default:"false"`
}
