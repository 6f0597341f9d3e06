package redis

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var prefix = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// Validate reports what is wrong with c, key by key. It says nothing of the URL's own text: that may have a password.
func (c Config) Validate(report func(key, problem string)) {
	if problem := badURL(c.URL); problem != "" {
		report("url", problem+"; write redis://host:port/db, or rediss:// for TLS")
	}
	if c.CA != "" && strings.HasPrefix(c.URL, "redis://") {
		report("ca", "is for TLS, and url is redis://; write rediss://")
	}
	if !prefix.MatchString(c.Prefix) {
		report("prefix", fmt.Sprintf("%q must be 1 to 64 letters, digits, -, _ or .", c.Prefix))
	}
	if c.Timeout < 10*time.Millisecond || c.Timeout > 30*time.Second {
		report("timeout", fmt.Sprintf("%v is not between 10ms and 30s", c.Timeout))
	}
	if c.PoolSize < 1 || c.PoolSize > 10000 {
		report("pool_size", fmt.Sprintf("%d is not between 1 and 10000", c.PoolSize))
	}
}

func badURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "is no URL" // err repeats the text
	}
	db, err := strconv.ParseUint(strings.TrimPrefix(u.Path, "/"), 10, 16)
	switch {
	case u.Scheme != "redis" && u.Scheme != "rediss":
		return "is no redis:// or rediss:// URL"
	case u.Hostname() == "":
		return "names no host"
	case badPort(u):
		return "has a port that is no number from 1 to 65535"
	case u.Path != "" && u.Path != "/" && (err != nil || u.Path != "/"+strconv.FormatUint(db, 10)):
		return "has a database that is no number"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "has options behind the database, which are keys of their own here"
	}
	return ""
}

func badPort(u *url.URL) bool {
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	return u.Port() != "" && (err != nil || n == 0) || strings.HasSuffix(u.Host, ":")
}
