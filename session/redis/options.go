package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// defaultURL is where Redis is when nothing says where.
const defaultURL = "redis://localhost:6379/0"

// prefixes are what a prefix may look like: braces would move the hash tag.
var prefixes = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// options translates Config for the client library.
func options(cfg Config) (*goredis.UniversalOptions, error) {
	switch {
	case !prefixes.MatchString(cfg.Prefix):
		return nil, fmt.Errorf("prefix %q: must be of letters, digits, `-`, `_` and `.`", cfg.Prefix)
	case cfg.Timeout <= 0:
		return nil, fmt.Errorf("timeout %s: must be positive", cfg.Timeout)
	case cfg.PoolSize <= 0:
		return nil, fmt.Errorf("pool_size %d: must be positive", cfg.PoolSize)
	case cfg.Wait < 0:
		return nil, fmt.Errorf("wait %d: must not be negative", cfg.Wait)
	}
	opt := &goredis.UniversalOptions{Username: cfg.Username, Password: cfg.Password.Reveal()}
	byURL, err := locate(opt, cfg)
	if err != nil {
		return nil, err
	}
	if opt.TLSConfig, err = secure(cfg, byURL); err != nil {
		return nil, err
	}
	bound(opt, cfg)
	return opt, nil
}

// locate fills in which servers to ask, and whether a URL wants TLS.
func locate(opt *goredis.UniversalOptions, cfg Config) (secure bool, err error) {
	switch sentinel := cfg.Sentinel.Master != "" || len(cfg.Sentinel.Addresses) > 0; {
	case sentinel && (cfg.URL != "" || len(cfg.Cluster) > 0) || cfg.URL != "" && len(cfg.Cluster) > 0:
		return false, errors.New("two of url, sentinel and cluster are set\nkeep the one that you have")
	case sentinel && (cfg.Sentinel.Master == "" || len(cfg.Sentinel.Addresses) == 0):
		return false, errors.New("sentinel has no master or no addresses\nset both")
	case sentinel:
		opt.MasterName, opt.Addrs = cfg.Sentinel.Master, cfg.Sentinel.Addresses
		opt.SentinelUsername, opt.SentinelPassword = cfg.Sentinel.Username, cfg.Sentinel.Password.Reveal()
		return false, nil
	case len(cfg.Cluster) > 0:
		opt.IsClusterMode, opt.Addrs = true, cfg.Cluster
		return false, nil
	case cfg.URL == "":
		cfg.URL = defaultURL
	}
	one, err := parseURL(cfg.URL)
	if err != nil {
		return false, err
	}
	opt.Addrs, opt.DB = []string{one.Addr}, one.DB
	if one.Username != "" || one.Password != "" {
		if cfg.Username != "" || cfg.Password != "" {
			return false, errors.New("url has a user or password, and username or password is set, too\nkeep one of them")
		}
		opt.Username, opt.Password = one.Username, one.Password
	}
	return one.TLSConfig != nil, nil
}

// parseURL reads the URL. Its errors quote nothing of it: any part may be the password in the wrong place.
func parseURL(raw string) (*goredis.Options, error) {
	const right = "write redis://[user:password@]host:port/db, or rediss:// for TLS, with special characters of user and password percent-encoded"
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, errors.New("url cannot be read\n" + right)
	case u.Scheme != "redis" && u.Scheme != "rediss" || u.Hostname() == "":
		return nil, errors.New("url has no scheme redis or rediss, or no host\n" + right)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		// The library would take skip_verify=true and timeouts from here.
		return nil, errors.New("url has a query or a fragment\nset the keys beside it instead; " + right)
	}
	opt, err := goredis.ParseURL(raw)
	if err != nil {
		return nil, errors.New("url has a database that is not a number\n" + right)
	}
	return opt, nil
}

// bound sets what keeps each call short, and the number of connections small.
func bound(opt *goredis.UniversalOptions, cfg Config) {
	// The context's deadline is the one that counts. The library's own are behind it, as a net: it takes them from a
	// clock that lags by up to 50ms.
	opt.ContextTimeoutEnabled = true
	opt.ReadTimeout = cfg.Timeout + 100*time.Millisecond
	opt.WriteTimeout = opt.ReadTimeout
	opt.PoolTimeout = opt.ReadTimeout
	opt.DialTimeout = cfg.Timeout
	opt.DialerRetries = 1 // a command that finds no connection is repeated anyway
	opt.MinRetryBackoff = min(8*time.Millisecond, cfg.Timeout/16)
	opt.MaxRetryBackoff = cfg.Timeout / 4
	opt.PoolSize = max(1, cfg.PoolSize-1) // one more is shared's
	opt.PipelinePoolSize = -1             // shared has its own
	// Both need rights that a session store has no use for.
	opt.DisableIdentity = true
	opt.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	opt.Dialer = dialer(opt.TLSConfig)
}

// dialer connects within the context's deadline, TLS handshake included; the library's own bounds only the connect by it.
func dialer(cfg *tls.Config) func(ctx context.Context, network, addr string) (net.Conn, error) {
	plain := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 5 * time.Second, Count: 3}}
	if cfg == nil {
		return plain.DialContext
	}
	return (&tls.Dialer{NetDialer: plain, Config: cfg}).DialContext
}
