package certs

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Keeper keeps the certificate of one host. It is safe for concurrent use.
type Keeper struct {
	from source
}

// source is where certificates come from.
type source interface {
	certificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	protocols() []string
	challenges(next http.Handler) http.Handler
	expires() time.Time
	run(ctx context.Context, at Listeners)
}

// Deps are what a keeper needs beside its configuration.
type Deps struct {
	// Host is the name that browsers see.
	Host string
	// Log takes what happens to the certificate.
	Log *slog.Logger
	// Now is the time; nil is time.Now.
	Now func() time.Time
	// Count is called with each Result. May be nil.
	Count func(result string)
}

// The results of [Deps].Count.
const (
	ResultChanged  = "changed"  // the files have a new pair, and new handshakes get it
	ResultRefused  = "refused"  // the files have a broken pair; what was read before stays
	ResultObtained = "obtained" // the ACME server gave a certificate
	ResultFailed   = "failed"   // the ACME server gave none; it is asked again
)

// Listeners are the addresses at which the server listens, for those who prove there that the host is theirs.
type Listeners struct {
	// TLS is the public listener's.
	TLS net.Addr
	// Plain is that of the listener for plain HTTP; nil without one.
	Plain net.Addr
}

// New reads the files, or opens the ACME cache. It calls nobody.
func New(cfg Config, d Deps) (*Keeper, error) {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Count == nil {
		d.Count = func(string) {}
	}
	if cfg.ByACME() {
		o, err := newOrders(cfg.ACME, d)
		if err != nil {
			return nil, err
		}
		return &Keeper{from: o}, nil
	}
	f, err := newFiles(cfg, d)
	if err != nil {
		return nil, err
	}
	return &Keeper{from: f}, nil
}

// TLS is the configuration of the server's side: TLS 1.2 or newer, and of 1.2 only what has forward secrecy and authenticates what it encrypts
// (TLS-01). Go's own list still has CBC; those of 1.3 are not configurable, and good.
func (k *Keeper) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		NextProtos:     append([]string{"h2", "http/1.1"}, k.from.protocols()...),
		GetCertificate: k.from.certificate,
	}
}

// Challenges answers what an ACME server asks over plain HTTP (http-01), and leaves the rest to next.
func (k *Keeper) Challenges(next http.Handler) http.Handler { return k.from.challenges(next) }

// Expires is when the certificate ends that new handshakes get; zero while there is none.
func (k *Keeper) Expires() time.Time { return k.from.expires() }

// Run looks after the certificate until ctx ends. The listeners must be open.
func (k *Keeper) Run(ctx context.Context, at Listeners) { k.from.run(ctx, at) }
