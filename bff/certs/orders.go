package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// orders keep a certificate that an ACME server gives: ordered when there is none in the cache, renewed when a third of its life is left or when the server
// says so (RFC 9773). An order that fails is repeated, at first after a minute, then less and less often.
type orders struct {
	deps   Deps
	cache  *certmagic.Cache
	magic  *certmagic.Config
	issuer *certmagic.ACMEIssuer
}

// rhythm is changed by tests, which have no weeks to wait.
type rhythm struct {
	check     time.Duration // how often to look whether it is time; 0 is certmagic's ten minutes
	window    float64       // the share of its life at which a certificate is renewed; 0 is certmagic's third
	unadvised bool          // renew by the window alone
}

func newOrders(cfg ACME, d Deps) (*orders, error) { return newOrdersAt(cfg, d, rhythm{}) }

func newOrdersAt(cfg ACME, d Deps, r rhythm) (*orders, error) {
	if err := usable(cfg.Cache); err != nil {
		return nil, fmt.Errorf("server.tls.acme.cache: %w", err)
	}
	roots, err := authorities(cfg.CA)
	if err != nil {
		return nil, fmt.Errorf("server.tls.acme.ca: %w", err)
	}
	o := &orders{deps: d}
	quiet := zap.NewNop() // certmagic's words come by its events
	o.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return o.magic, nil },
		RenewCheckInterval: r.check, Logger: quiet,
	})
	o.magic = certmagic.New(o.cache, certmagic.Config{
		Storage:    &certmagic.FileStorage{Path: cfg.Cache}, // folders 0700, files 0600
		OCSP:       certmagic.OCSPConfig{DisableStapling: true},
		DisableARI: r.unadvised, RenewalWindowRatio: r.window,
		Logger: quiet, OnEvent: o.event, ShouldEmitFunc: func(name string) bool { return name == "cert_obtained" || name == "cert_failed" },
	})
	o.issuer = certmagic.NewACMEIssuer(o.magic, certmagic.ACMEIssuer{
		CA: cfg.Directory, TestCA: cfg.Directory, // else a retry would ask Let's Encrypt's
		Email: cfg.Email, Agreed: cfg.Agree, TrustedRoots: roots, Logger: quiet,
	})
	o.magic.Issuers = []certmagic.Issuer{o.issuer}
	return o, nil
}

// usable says what is wrong with the folder for keys. Groups may have rights on it, as volumes of Kubernetes give them; the keys themselves have none for others.
func usable(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is no folder", dir)
	case info.Mode().Perm()&0o002 != 0:
		return fmt.Errorf("everybody may write to %s, and so replace keys\nchmod 0700 it", dir)
	}
	probe, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// authorities are the certificates of a file; nil, which is the system's, without one.
func authorities(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s has no certificate in PEM", path)
	}
	return pool, nil
}

// certificate answers for our host whatever the client calls it, or not at all: an unknown name is answered by the edge (421), with a
// certificate that says who we are. The challenge of tls-alpn-01 names its host.
func (o *orders) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if len(hello.SupportedProtos) != 1 || hello.SupportedProtos[0] != certmagicALPN {
		same := *hello
		same.ServerName = o.deps.Host
		hello = &same
	}
	return o.magic.GetCertificate(hello)
}

// certmagicALPN is the protocol of tls-alpn-01 (RFC 8737).
const certmagicALPN = "acme-tls/1"

func (o *orders) protocols() []string { return []string{certmagicALPN} }

func (o *orders) challenges(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !o.issuer.HandleHTTPChallenge(w, r) {
			next.ServeHTTP(w, r)
		}
	})
}

func (o *orders) expires() (last time.Time) {
	for _, c := range o.cache.AllMatchingCertificates(o.deps.Host) {
		if c.Leaf != nil && c.Leaf.NotAfter.After(last) {
			last = c.Leaf.NotAfter
		}
	}
	return last
}

// run orders, renews, and keeps at it until ctx ends.
func (o *orders) run(ctx context.Context, at Listeners) {
	defer o.cache.Stop()
	host, port := split(at.TLS)
	o.issuer.AltTLSALPNPort, o.issuer.ListenHost = port, host
	o.issuer.DisableHTTPChallenge = at.Plain == nil
	if at.Plain != nil {
		_, o.issuer.AltHTTPPort = split(at.Plain)
	}
	if err := o.magic.ManageAsync(ctx, []string{o.deps.Host}); err != nil {
		o.failed(err)
	}
	<-ctx.Done()
}

// split is an address' host, empty for all, and its port: where certmagic sees that somebody listens who answers challenges.
func split(addr net.Addr) (string, int) {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || tcp.IP.IsUnspecified() {
		return "", tcp.Port
	}
	return tcp.IP.String(), tcp.Port
}

// event says what certmagic is doing.
func (o *orders) event(_ context.Context, name string, data map[string]any) error {
	switch name {
	case "cert_obtained":
		o.deps.Log.Info("the ACME server gave a certificate", "event", "certificate_obtained", "host", data["identifier"], "renewal", data["renewal"])
		o.deps.Count(ResultObtained)
	case "cert_failed":
		err, _ := data["error"].(error)
		o.failed(err)
	}
	return nil
}

// failed says why there is no new certificate. What was obtained before stays in use.
func (o *orders) failed(err error) {
	o.deps.Log.Error("the ACME server gave no certificate; it will be asked again", "event", "certificate_failed", "host", o.deps.Host, "error", err)
	o.deps.Count(ResultFailed)
}
