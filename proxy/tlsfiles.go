package proxy

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"
)

// tlsFiles is what the files of a TLSConfig hold. They are read again by their content, not by their time: links that are swapped, as Kubernetes does, count.
type tlsFiles struct {
	config TLSConfig
	base   *tls.Config
	digest [sha256.Size]byte // of what base was made of
	failed [sha256.Size]byte // of what no base could be made of; said once
	next   time.Time
}

// readTLSFiles reads what c names.
func readTLSFiles(c TLSConfig) (tlsFiles, error) {
	f := tlsFiles{config: c}
	files, err := f.read()
	if err == nil {
		f.digest = digest(files)
		f.base, err = c.make(files)
	}
	return f, err
}

// reread looks for changes, now and then. An error is told once for each state of the files; until they are right, what was read before stays. It is also
// an error when a certificate is there already, and its key is not yet.
func (f *tlsFiles) reread(now time.Time) (changed bool, err error) {
	if f.config == (TLSConfig{ServerName: f.config.ServerName}) || now.Before(f.next) {
		return false, nil
	}
	f.next = now.Add(filesEvery)
	files, err := f.read()
	sum := digest(files)
	if sum == f.digest && err == nil {
		f.failed = [sha256.Size]byte{}
		return false, nil
	}
	var base *tls.Config
	if err == nil {
		base, err = f.config.make(files)
	}
	if err != nil {
		if sum == f.failed {
			return false, nil
		}
		f.failed = sum
		return false, err
	}
	f.base, f.digest, f.failed = base, sum, [sha256.Size]byte{}
	return true, nil
}

// read gives the contents of ca, cert and key; nil for one that is not configured.
func (f *tlsFiles) read() (files [3][]byte, err error) {
	for i, path := range []string{f.config.CA, f.config.Cert, f.config.Key} {
		if path == "" {
			continue
		}
		b, readErr := os.ReadFile(path)
		if readErr != nil {
			err = errors.Join(err, readErr)
		}
		files[i] = b
	}
	return files, err
}

func digest(files [3][]byte) [sha256.Size]byte {
	h := sha256.New()
	for _, b := range files {
		fmt.Fprintf(h, "%d\n", len(b))
		h.Write(b)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// make makes the configuration of new connections. Certificates are always verified: there is no key to turn that off.
func (c TLSConfig) make(files [3][]byte) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CA != "" {
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(files[0]) {
			return nil, fmt.Errorf("ca: %s has no certificate in PEM", c.CA)
		}
	}
	if c.Cert != "" {
		pair, err := tls.X509KeyPair(files[1], files[2])
		if err != nil {
			return nil, fmt.Errorf("cert and key: %w", err) // says what is wrong, and nothing of the key
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}
