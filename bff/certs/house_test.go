package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"cloakroom/e2e/ca"
)

const host = "app.example.test"

func authority(t *testing.T) *ca.Authority {
	t.Helper()
	a, err := ca.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// pair is what Issue makes for our host.
func pair(t *testing.T, a *ca.Authority) (cert, key []byte) {
	t.Helper()
	cert, key, err := a.Issue(host, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// filesIn is a configuration with both files in dir.
func filesIn(dir string) Config {
	return Config{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
}

// book is a log, and what was counted.
type book struct {
	mu      sync.Mutex
	text    bytes.Buffer
	results []string
	more    chan struct{} // closed and replaced at each count
}

func newBook() *book { return &book{more: make(chan struct{})} }

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *book) count(result string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.results = append(b.results, result)
	close(b.more)
	b.more = make(chan struct{})
}

// await waits until a result was counted n times.
func (b *book) await(t *testing.T, result string, n int) {
	t.Helper()
	late := time.After(30 * time.Second)
	for {
		b.mu.Lock()
		found, more := 0, b.more
		for _, r := range b.results {
			if r == result {
				found++
			}
		}
		b.mu.Unlock()
		if found >= n {
			return
		}
		select {
		case <-more:
		case <-late:
			t.Fatalf("%q came %d times, want %d\n%s", result, found, n, b)
		}
	}
}

func (b *book) deps() Deps {
	return Deps{Host: host, Log: slog.New(slog.NewTextHandler(b, nil)), Now: time.Now, Count: b.count}
}

// serve answers behind a keeper on loopback, over TLS and plain, as bff does.
func serve(t *testing.T, k *Keeper) (over, plain *net.TCPAddr) {
	t.Helper()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Proto", r.Proto) })
	addr := func(serve func(*http.Server, net.Listener) error, h http.Handler, c *tls.Config) *net.TCPAddr {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: h, TLSConfig: c, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
		var done sync.WaitGroup
		done.Go(func() { serve(srv, l) })
		t.Cleanup(func() { srv.Close(); done.Wait() })
		return l.Addr().(*net.TCPAddr)
	}
	over = addr(func(s *http.Server, l net.Listener) error { return s.ServeTLS(l, "", "") }, handler, k.TLS())
	plain = addr((*http.Server).Serve, k.Challenges(http.NotFoundHandler()), nil)
	return over, plain
}

// shown is the certificate that a new handshake gets.
func shown(t *testing.T, addr net.Addr, host string, roots *x509.CertPool) (*x509.Certificate, error) {
	t.Helper()
	conn, err := tls.Dial("tcp", addr.String(), &tls.Config{RootCAs: roots, ServerName: host})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0], nil
}

// running keeps k running until the test ends.
func running(t *testing.T, k *Keeper, at Listeners) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { k.Run(ctx, at) })
	stop = sync.OnceFunc(func() { cancel(); done.Wait() })
	t.Cleanup(stop)
	return stop
}
