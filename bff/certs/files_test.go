package certs

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// OAX-08: new handshakes get the new certificate, and whoever is connected notices nothing.
func TestAChangedPairIsUsedFromTheNextHandshakeOn(t *testing.T) {
	a, dir, b := authority(t), t.TempDir(), newBook()
	cfg := filesIn(dir)
	cert, key := pair(t, a)
	write(t, cfg.Cert, cert)
	write(t, cfg.Key, key)
	f, err := newFiles(cfg, b.deps())
	if err != nil {
		t.Fatal(err)
	}
	f.every = time.Millisecond
	k := &Keeper{from: f}
	over, _ := serve(t, k)
	running(t, k, Listeners{})

	open, err := tls.Dial("tcp", over.String(), &tls.Config{RootCAs: a.Pool, ServerName: host})
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	before := open.ConnectionState().PeerCertificates[0]
	cert, key, err = a.Issue(host, time.Now().Add(2*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	write(t, cfg.Cert, cert)
	write(t, cfg.Key, key)
	b.await(t, ResultChanged, 1)

	after, err := shown(t, over, host, a.Pool)
	if err != nil {
		t.Fatal(err)
	}
	if after.SerialNumber.Cmp(before.SerialNumber) == 0 {
		t.Error("a new handshake got the old certificate")
	}
	if !k.Expires().Equal(after.NotAfter) {
		t.Errorf("Expires() = %v, the certificate ends %v", k.Expires(), after.NotAfter)
	}
	fmt.Fprintf(open, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host)
	res, err := http.ReadResponse(bufio.NewReader(open), nil)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("on the connection that was open: %v, %v", res, err)
	}
	if !strings.Contains(b.String(), "event=certificate_changed") {
		t.Errorf("the log does not tell:\n%s", b)
	}
}

func TestABrokenPairReplacesNothing(t *testing.T) {
	a := authority(t)
	goodCert, goodKey := pair(t, a)
	otherCert, otherKey := pair(t, a)
	for _, c := range []struct {
		name      string
		cert, key []byte // nil: the file is gone
		says      string
	}{
		{"a key of another certificate", goodCert, otherKey, "server.tls.key: is the private key of another certificate"},
		{"a certificate of another key", otherCert, goodKey, "server.tls.key: is the private key of another certificate"},
		{"an empty certificate", []byte{}, goodKey, "server.tls.cert: has no usable certificate"},
		{"half a certificate", otherCert[:len(otherCert)/2], otherKey, "server.tls.cert: has no usable certificate"},
		{"an empty key", otherCert, []byte{}, "server.tls.key: has no usable private key"},
		{"files that are swapped", goodKey, goodCert, "server.tls.cert: has no usable certificate"},
		{"no certificate at all", nil, goodKey, "tls.crt: no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, b := filesIn(t.TempDir()), newBook()
			write(t, cfg.Cert, goodCert)
			write(t, cfg.Key, goodKey)
			f, err := newFiles(cfg, b.deps())
			if err != nil {
				t.Fatal(err)
			}
			good := f.current.Load()
			for path, data := range map[string][]byte{cfg.Cert: c.cert, cfg.Key: c.key} {
				if os.Remove(path); data != nil {
					write(t, path, data)
				}
			}
			if _, err := New(cfg, b.deps()); err == nil {
				t.Error("a start with it succeeds")
			}
			f.look()
			if len(b.results) > 0 {
				t.Error("told at first sight, when the other file may be on its way")
			}
			for range 3 {
				f.look()
			}
			if f.current.Load() != good {
				t.Error("it replaced the good pair")
			}
			if fmt.Sprint(b.results) != "[refused]" || strings.Count(b.String(), "event=certificate_refused") != 1 || !strings.Contains(b.String(), c.says) {
				t.Errorf("counted %v, logged\n%s\nwant it told once, with %q", b.results, b, c.says)
			}
			if bytes.Contains([]byte(b.String()), goodKey[40:80]) {
				t.Error("the log shows the key")
			}
			write(t, cfg.Cert, otherCert)
			write(t, cfg.Key, otherKey)
			if f.look(); f.current.Load() == good {
				t.Error("a good pair is not taken after a broken one")
			}
		})
	}
}

// Kubernetes replaces a secret by swapping a link above the files, whose own paths and times tell nothing.
func TestASwappedLinkIsAChange(t *testing.T) {
	a, dir, b := authority(t), t.TempDir(), newBook()
	for _, version := range []string{"one", "two"} {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		cert, key := pair(t, a)
		cfg := filesIn(filepath.Join(dir, version))
		write(t, cfg.Cert, cert)
		write(t, cfg.Key, key)
	}
	link := filepath.Join(dir, "..data")
	if err := os.Symlink("one", link); err != nil {
		t.Fatal(err)
	}
	f, err := newFiles(filesIn(link), b.deps())
	if err != nil {
		t.Fatal(err)
	}
	first := f.current.Load()
	if err := os.Symlink("two", link+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
	f.look()
	if f.current.Load() == first {
		t.Error("the new pair is not seen")
	}
	f.look()
	if fmt.Sprint(b.results) != "[changed]" {
		t.Errorf("counted %v, want one change", b.results)
	}
}

func TestWhatBrowsersWillRefuseIsSaidAndServed(t *testing.T) {
	a := authority(t)
	for _, c := range []struct {
		name, host string
		until      time.Time
		says       string
	}{
		{"an expired certificate", host, time.Now().Add(-time.Minute), "not valid at this time"},
		{"a certificate for another host", "other.example.test", time.Now().Add(time.Hour), "another host than public_url's"},
		{"a good one", host, time.Now().Add(time.Hour), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, b := filesIn(t.TempDir()), newBook()
			cert, key, err := a.Issue(c.host, c.until)
			if err != nil {
				t.Fatal(err)
			}
			write(t, cfg.Cert, cert)
			write(t, cfg.Key, key)
			if _, err := New(cfg, b.deps()); err != nil {
				t.Fatal(err)
			}
			if text := b.String(); !strings.Contains(text, c.says) || c.says == "" && text != "" {
				t.Errorf("logged %q, want %q", text, c.says)
			}
		})
	}
}

// Whatever name a client asks for, and also if it asks for none, there is one certificate: what else is behind this address is nobody's business.
func TestOneCertificateIsShownWhateverTheName(t *testing.T) {
	a, cfg := authority(t), filesIn(t.TempDir())
	cert, key := pair(t, a)
	write(t, cfg.Cert, cert)
	write(t, cfg.Key, key)
	k, err := New(cfg, newBook().deps())
	if err != nil {
		t.Fatal(err)
	}
	over, _ := serve(t, k)
	for _, name := range []string{host, "other.example.test", "../" + host, "*." + host, ""} {
		conn, err := tls.Dial("tcp", over.String(), &tls.Config{ServerName: name, InsecureSkipVerify: true}) // looked at below
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if err := conn.ConnectionState().PeerCertificates[0].VerifyHostname(host); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		conn.Close()
	}
}

// TLS-01: TLS 1.2 or newer, 1.3 where the client can; of 1.2 only suites with forward secrecy and AEAD.
func TestOnlyGoodTLSIsSpoken(t *testing.T) {
	a, cfg := authority(t), filesIn(t.TempDir())
	cert, key := pair(t, a)
	write(t, cfg.Cert, cert)
	write(t, cfg.Key, key)
	k, err := New(cfg, newBook().deps())
	if err != nil {
		t.Fatal(err)
	}
	over, _ := serve(t, k)
	for _, c := range []struct {
		name     string
		min, max uint16
		suites   []uint16
		offer    []string
		version  uint16 // 0: refused
		protocol string
	}{
		{"a browser of today", 0, 0, nil, []string{"h2", "http/1.1"}, tls.VersionTLS13, "h2"},
		{"a client without HTTP/2", 0, 0, nil, []string{"http/1.1"}, tls.VersionTLS13, "http/1.1"},
		{"a client that knows no ALPN", 0, 0, nil, nil, tls.VersionTLS13, ""},
		{"a client with TLS 1.2", 0, tls.VersionTLS12, nil, []string{"h2"}, tls.VersionTLS12, "h2"},
		{"a client with TLS 1.1", tls.VersionTLS10, tls.VersionTLS11, nil, nil, 0, ""},
		{"a client with CBC alone", 0, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA}, nil, 0, ""},
		{"a client without forward secrecy", 0, tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}, nil, 0, ""},
		{"an ACME server that nobody asked", 0, 0, nil, []string{"acme-tls/1"}, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := tls.Dial("tcp", over.String(), &tls.Config{
				RootCAs: a.Pool, ServerName: host, MinVersion: c.min, MaxVersion: c.max, CipherSuites: c.suites, NextProtos: c.offer,
			})
			if err != nil {
				if c.version != 0 {
					t.Error(err)
				}
				return
			}
			defer conn.Close()
			if got := conn.ConnectionState(); got.Version != c.version || got.NegotiatedProtocol != c.protocol {
				t.Errorf("%s with %q, want %s with %q", tls.VersionName(got.Version), got.NegotiatedProtocol, tls.VersionName(c.version), c.protocol)
			}
		})
	}
}
