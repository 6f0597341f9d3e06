package redis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
)

// secure is how TLS is spoken, nil if it is not. Names are verified against the host that is dialled.
func secure(cfg Config, byURL bool) (*tls.Config, error) {
	if !byURL && !cfg.TLS {
		if cfg.CA != "" || cfg.Cert != "" || cfg.Key != "" {
			return nil, errors.New("ca, cert or key is set, but no TLS is spoken\nuse rediss://, or tls: true with sentinel and cluster; or remove them")
		}
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CA != "" {
		pem, err := os.ReadFile(cfg.CA)
		if err != nil {
			return nil, fmt.Errorf("read ca: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca %q: has no PEM certificate", cfg.CA)
		}
	}
	if cfg.Cert != "" || cfg.Key != "" {
		first, err := tls.LoadX509KeyPair(cfg.Cert, cfg.Key)
		if err != nil {
			return nil, fmt.Errorf("read cert and key: %w", err)
		}
		var good atomic.Pointer[tls.Certificate]
		good.Store(&first)
		// Read anew for each connection: these are often valid for hours and replaced in place. Between the writing of one file and of the other the pair does
		// not match; what was good last serves until it does.
		out.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if pair, err := tls.LoadX509KeyPair(cfg.Cert, cfg.Key); err == nil {
				good.Store(&pair)
			}
			return good.Load(), nil
		}
	}
	return out, nil
}
