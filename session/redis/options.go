package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// prefixes are what a prefix may look like: braces would move the hash tag.
var prefixes = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// options translates Config for the client library.
func options(cfg Config) (*goredis.Options, error) {
	switch {
	case !prefixes.MatchString(cfg.Prefix):
		return nil, fmt.Errorf("prefix %q: must be of letters, digits, `-`, `_` and `.`", cfg.Prefix)
	case cfg.Timeout <= 0:
		return nil, fmt.Errorf("timeout %s: must be positive", cfg.Timeout)
	case cfg.PoolSize <= 0:
		return nil, fmt.Errorf("pool_size %d: must be positive", cfg.PoolSize)
	}
	opt, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.CA != "" {
		if err := trust(opt, cfg.CA); err != nil {
			return nil, err
		}
	}
	bound(opt, cfg)
	return opt, nil
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

// trust makes the certificates in file the only ones that sign Redis' own.
func trust(opt *goredis.Options, file string) error {
	if opt.TLSConfig == nil {
		return errors.New("ca is set, but url is not rediss://\nuse rediss://, or remove ca")
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("ca %q: has no PEM certificate", file)
	}
	opt.TLSConfig.RootCAs = pool
	return nil
}

// bound sets what keeps each call short, and the number of connections small.
func bound(opt *goredis.Options, cfg Config) {
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
