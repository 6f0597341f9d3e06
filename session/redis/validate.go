package redis

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var prefix = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// maxWait bounds Config.Wait: nobody has more replicas of sessions.
const maxWait = 8

// Validate reports what is wrong with c, key by key. It says nothing of the URL's own text: that may have a password.
func (c Config) Validate(report func(key, problem string)) {
	c.validatePlace(report)
	c.validateTLS(report)
	if u, err := url.Parse(c.URL); err == nil && u.User != nil && u.User.String() != "" {
		if c.Username != "" {
			report("username", "is in session.redis.url, too; keep one of them")
		}
		if c.Password != "" {
			report("password", "is in session.redis.url, too; keep one of them")
		}
	}
	if c.Username != "" && c.Password == "" {
		report("username", "has no password beside it; set session.redis.password, best as ${file:…}")
	}
	if c.Wait < 0 || c.Wait > maxWait {
		report("wait", fmt.Sprintf("%d is not between 0 and %d replicas", c.Wait, maxWait))
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

// validatePlace wants exactly one way to find Redis. None is a Redis on this machine.
func (c Config) validatePlace(report func(key, problem string)) {
	sentinel := c.Sentinel.Master != "" || len(c.Sentinel.Addresses) > 0 || c.Sentinel.Username != "" || c.Sentinel.Password != ""
	if c.URL != "" && sentinel {
		report("sentinel", "is set, and url as well; keep the one that you have, and write its user as username and password")
	}
	if c.URL != "" && len(c.Cluster) > 0 {
		report("cluster", "is set, and url as well; keep the one that you have, and write its user as username and password")
	}
	if sentinel && len(c.Cluster) > 0 {
		report("cluster", "is set, and sentinel as well; a cluster needs no sentinels, keep the one that you have")
	}
	if problem := badURL(c.URL); c.URL != "" && problem != "" {
		report("url", problem+"; write redis://host:port/db, or rediss:// for TLS")
	}
	if sentinel && c.Sentinel.Master == "" {
		report("sentinel.master", "is missing; write the name that stands behind `sentinel monitor`")
	}
	if sentinel && len(c.Sentinel.Addresses) == 0 {
		report("sentinel.addresses", "is missing; write host:port of the sentinels, two or more")
	}
	if c.Sentinel.Username != "" && c.Sentinel.Password == "" {
		report("sentinel.username", "has no password beside it; set session.redis.sentinel.password")
	}
	addresses("sentinel.addresses", c.Sentinel.Addresses, report)
	addresses("cluster", c.Cluster, report)
}

// addresses reports what is no host:port, and what is there twice.
func addresses(key string, all []string, report func(key, problem string)) {
	seen := map[string]bool{}
	for i, text := range all {
		at := fmt.Sprintf("%s[%d]", key, i)
		switch host, port, err := net.SplitHostPort(text); {
		case err != nil || host == "" || strings.ContainsAny(host, "/@ "):
			report(at, "is no host:port, such as redis-1.example.com:6379; user and password are keys of their own")
		case badNumber(port):
			report(at, "has a port that is no number from 1 to 65535")
		case seen[text]:
			report(at, "is there twice; keep one of them")
		}
		seen[text] = true
	}
}

// validateTLS wants the files where TLS is, and both of a pair.
func (c Config) validateTLS(report func(key, problem string)) {
	place := len(c.Cluster) > 0 || c.Sentinel.Master != "" || len(c.Sentinel.Addresses) > 0
	if c.TLS && !place {
		report("tls", "is for sentinel and cluster; with url write rediss://")
	}
	encrypted := c.TLS || strings.HasPrefix(c.URL, "rediss://")
	for _, f := range [][2]string{{"ca", c.CA}, {"cert", c.Cert}, {"key", c.Key}} {
		switch key := f[0]; {
		case f[1] == "" || encrypted:
		case place:
			report(key, "is for TLS, which is not spoken; set session.redis.tls: true")
		default:
			report(key, "is for TLS, and url is redis://; write rediss://")
		}
	}
	if c.Cert != "" && c.Key == "" {
		report("cert", "has no key beside it; set session.redis.key")
	}
	if c.Key != "" && c.Cert == "" {
		report("key", "has no certificate beside it; set session.redis.cert")
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
	return u.Port() != "" && badNumber(u.Port()) || strings.HasSuffix(u.Host, ":")
}

func badNumber(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err != nil || n == 0
}
