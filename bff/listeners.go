package bff

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"cloakroom/bff/certs"
	"cloakroom/configs"
)

// listeners are where the server is reached. plain and admin are nil where the configuration has none.
type listeners struct{ public, plain, admin net.Listener }

// openListeners takes all addresses of a configuration, or none.
func openListeners(cfg configs.Server) (l listeners, err error) {
	open := func(key, addr string) (on net.Listener) {
		if err != nil || addr == "" || addr == configs.AdminOff {
			return nil
		}
		if on, err = net.Listen("tcp", addr); err != nil {
			err = fmt.Errorf("listen on server.%s: %w\n%s", key, err, addressHint)
			return nil
		}
		return on
	}
	l.public = open("listen", cfg.Listen)
	l.plain = open("http_listen", cfg.HTTPListen)
	l.admin = open("admin_listen", cfg.AdminListen)
	if err != nil {
		l.close()
	}
	return l, err
}

func (l listeners) close() {
	for _, on := range []net.Listener{l.public, l.plain, l.admin} {
		if on != nil {
			on.Close()
		}
	}
}

// forCerts are those at which an ACME server asks.
func (l listeners) forCerts() (at certs.Listeners) {
	at.TLS = l.public.Addr()
	if l.plain != nil {
		at.Plain = l.plain.Addr()
	}
	return at
}

// wireTLS makes what the server shows to browsers, where it speaks TLS itself.
func (s *Server) wireTLS(cfg configs.Server) (err error) {
	if !cfg.TLS.Enabled() {
		return nil
	}
	s.certs, err = certs.New(cfg.TLS, certs.Deps{
		Host: hostname(s.origin), Log: s.log, Now: s.now,
		Count: s.metrics.watchCertificate(func() time.Time { return s.certs.Expires() }),
	})
	if err != nil {
		return fmt.Errorf("server.tls: %w", err)
	}
	return nil
}

// maxRequests is how many requests a client may have under way on one HTTP/2 connection. RFC 9113, section 6.5.2, advises against fewer.
const maxRequests = 100

// http2Limits bound what one connection may ask for at once. What is reset counts until its handler has ended, and a flood of resets or of headers ends the
// connection: net/http does that by itself (PRX-46).
func http2Limits() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams: maxRequests,
		SendPingTimeout:      time.Minute,
		PingTimeout:          30 * time.Second, // a device that has gone without a word
	}
}
