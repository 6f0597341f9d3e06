package certs

import (
	"context"
	"crypto/tls"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloakroom/e2e/ca"
)

// desk is a keeper that orders from a real ACME server, and the server behind it.
type desk struct {
	*Keeper
	*book
	pebble      *ca.Pebble
	host        string // each its own: certmagic's challenges are the process', by their host
	config      ACME
	over, plain *net.TCPAddr
}

// newDesk starts all but the keeper itself. Ports that are closed to Pebble leave it one way to ask.
func newDesk(t *testing.T, host string, r rhythm, validity time.Duration, noHTTP, noTLS bool) *desk {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	door, directory, err := ca.NewDoor()
	if err != nil {
		t.Fatal(err)
	}
	a, dir := authority(t), t.TempDir()
	write(t, filepath.Join(dir, "ca.pem"), a.PEM)
	d := &desk{book: newBook(), host: host, config: ACME{Email: "ops@example.test", Agree: true, Cache: filepath.Join(dir, "acme"), Directory: directory, CA: filepath.Join(dir, "ca.pem")}}
	if err := os.Mkdir(d.config.Cache, 0o700); err != nil {
		t.Fatal(err)
	}
	o, err := newOrdersAt(d.config, d.deps(), r)
	if err != nil {
		t.Fatal(err)
	}
	d.Keeper = &Keeper{from: o}
	d.over, d.plain = serve(t, d.Keeper)
	knock := ca.Options{Dir: dir, HTTPPort: d.plain.Port, TLSPort: d.over.Port, Validity: validity}
	if noHTTP {
		knock.HTTPPort = 1
	}
	if noTLS {
		knock.TLSPort = 1
	}
	if d.pebble, err = ca.StartPebble(ctx, door, a, knock); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.pebble.Close)
	return d
}

func TestACertificateIsOrderedAndShown(t *testing.T) {
	for _, c := range []struct {
		name, host    string
		noHTTP, noTLS bool
	}{
		{"by tls-alpn-01, without a listener for plain HTTP", "alpn.example.test", true, false},
		{"by http-01, where port 443 is somebody else's", "http.example.test", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, c.host, rhythm{}, time.Hour, c.noHTTP, c.noTLS)
			if _, err := shown(t, d.over, d.host, d.pebble.Roots); err == nil || !d.Expires().IsZero() {
				t.Errorf("there is a certificate before there is one: %v, %v", err, d.Expires())
			}
			at := Listeners{TLS: d.over}
			if !c.noHTTP {
				at.Plain = d.plain
			}
			running(t, d.Keeper, at)
			d.await(t, ResultObtained, 1)
			d.eventually(t)
			cert, err := shown(t, d.over, d.host, d.pebble.Roots)
			if err != nil || !cert.NotAfter.Equal(d.Expires()) {
				t.Fatalf("the handshake: %v; expires %v", err, d.Expires())
			}
			d.anyName(t)
			d.modes(t)
			d.again(t)
		})
	}
}

func (d *desk) deps() Deps {
	deps := d.book.deps()
	deps.Host = d.host
	return deps
}

// eventually waits until what was obtained is in use, which is a moment later.
func (d *desk) eventually(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(20 * time.Second); d.Expires().IsZero(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("the certificate is not in use\n%s", d.book)
		}
	}
}

// anyName sees that a client that asks for nobody, or for somebody else, gets our certificate and nothing else. No name but ours is ever ordered.
func (d *desk) anyName(t *testing.T) {
	for _, name := range []string{"", "other.example.test"} {
		conn, err := tls.Dial("tcp", d.over.String(), &tls.Config{RootCAs: d.pebble.Roots, ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		if err != nil {
			t.Fatalf("name %q: %v", name, err)
		}
		state := conn.ConnectionState()
		conn.Close()
		if got := state.PeerCertificates[0].DNSNames; len(got) != 1 || got[0] != d.host || state.NegotiatedProtocol != "h2" {
			t.Errorf("name %q: a certificate for %v, %q", name, got, state.NegotiatedProtocol)
		}
	}
	if n := d.pebble.Issued(); n != 1 {
		t.Errorf("%d certificates were issued, want 1", n)
	}
}

// modes sees that nobody else can read the keys.
func (d *desk) modes(t *testing.T) {
	found := 0
	err := filepath.WalkDir(d.config.Cache, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".key") {
			found++
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil || found != 2 {
		t.Errorf("%d keys in the cache (%v), want the account's and the certificate's", found, err)
	}
}

// again sees that the next process uses what is in the cache, and orders nothing: ACME servers count.
func (d *desk) again(t *testing.T) {
	t.Helper()
	k, err := New(Config{ACME: d.config}, d.deps())
	if err != nil {
		t.Fatal(err)
	}
	over, _ := serve(t, k)
	running(t, k, Listeners{TLS: over})
	d2 := &desk{Keeper: k, book: d.book, host: d.host}
	d2.eventually(t)
	if _, err := shown(t, over, d.host, d.pebble.Roots); err != nil {
		t.Error(err)
	}
	if n := d.pebble.Issued(); n != 1 {
		t.Errorf("%d certificates were issued, want 1 for both", n)
	}
}

// OAX-08, for a certificate that we renew ourselves.
func TestACertificateIsRenewedInGoodTime(t *testing.T) {
	t.Parallel()
	// It lives for an hour, and is renewed when it has lived for two seconds.
	d := newDesk(t, "renewed.example.test", rhythm{check: 200 * time.Millisecond, window: 1 - 2.0/3600, unadvised: true}, time.Hour, false, false)
	running(t, d.Keeper, Listeners{TLS: d.over, Plain: d.plain})
	d.await(t, ResultObtained, 1)
	d.eventually(t)
	first, err := shown(t, d.over, d.host, d.pebble.Roots)
	if err != nil {
		t.Fatal(err)
	}
	open, err := tls.Dial("tcp", d.over.String(), &tls.Config{RootCAs: d.pebble.Roots, ServerName: d.host, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	d.await(t, ResultObtained, 2)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(20 * time.Second); ; {
		next, err := shown(t, d.over, d.host, d.pebble.Roots)
		if err != nil {
			t.Fatal(err)
		}
		if next.SerialNumber.Cmp(first.SerialNumber) != 0 {
			break
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("new handshakes still get the old certificate")
		}
	}
	if _, err := open.Write([]byte("GET / HTTP/1.1\r\nHost: " + d.host + "\r\n\r\n")); err != nil {
		t.Error(err)
	}
	if n, err := open.Read(make([]byte, 64)); n == 0 {
		t.Errorf("the connection that was open is not: %v", err)
	}
}

func TestAnACMEServerThatIsAwayIsToldAndAskedAgain(t *testing.T) {
	b, dir := newBook(), t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	k, err := New(Config{ACME: ACME{Agree: true, Cache: dir, Directory: "https://127.0.0.1:1/dir"}}, b.deps())
	if err != nil {
		t.Fatal(err)
	}
	over, _ := serve(t, k)
	stop := running(t, k, Listeners{TLS: over})
	b.await(t, ResultFailed, 1)
	if !strings.Contains(b.String(), "event=certificate_failed") {
		t.Errorf("the log does not tell:\n%s", b)
	}
	stop() // does not wait for the next try
}

func TestTheCacheMustBeSafeAndWritable(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(dir string) string
		says string
	}{
		{"a folder that is not there", func(dir string) string { return filepath.Join(dir, "nowhere") }, "no such file"},
		{"a file", func(dir string) string { p := filepath.Join(dir, "f"); os.WriteFile(p, nil, 0o600); return p }, "is no folder"},
		{"a folder that everybody may write to", func(dir string) string {
			p := filepath.Join(dir, "d")
			os.Mkdir(p, 0o700)
			os.Chmod(p, 0o777)
			return p
		}, "chmod 0700"},
	} {
		_, err := New(Config{ACME: ACME{Agree: true, Cache: c.make(t.TempDir()), Directory: LetsEncrypt}}, newBook().deps())
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "server.tls.acme.cache") {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
}
