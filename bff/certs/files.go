package certs

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// every is how often the files are read. They are small, and their content alone tells of every way to replace them: written anew, renamed, or a link that is swapped
// above them, as Kubernetes does.
const every = 2 * time.Second

// maxFile bounds a file, in bytes.
const maxFile = 1 << 20

// files keep a certificate that somebody else renews.
type files struct {
	config  Config
	deps    Deps
	every   time.Duration
	current atomic.Pointer[tls.Certificate]

	// Of run alone: what the files held when they were good, last, and when they were last refused.
	good, seen, refused [sha256.Size]byte
}

func newFiles(cfg Config, d Deps) (*files, error) {
	f := &files{config: cfg, deps: d, every: every}
	pair, sum, err := f.read()
	if err != nil {
		return nil, err
	}
	f.take(pair, sum)
	return f, nil
}

func (f *files) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return f.current.Load(), nil
}

func (f *files) protocols() []string { return nil }

func (f *files) challenges(next http.Handler) http.Handler { return next }

func (f *files) expires() time.Time { return f.current.Load().Leaf.NotAfter }

// run looks at the files until ctx ends.
func (f *files) run(ctx context.Context, _ Listeners) {
	tick := time.NewTicker(f.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.look()
		}
	}
}

// look takes what the files hold now, if it is new and good. Something broken is told once, and only if the files were so the last time too: between the writing
// of one file and of the other, a pair never matches.
func (f *files) look() {
	pair, sum, err := f.read()
	before := f.seen
	f.seen = sum
	switch {
	case err == nil && sum == f.good:
		f.refused = [sha256.Size]byte{}
	case err == nil:
		f.take(pair, sum)
		f.deps.Log.Info("the certificate has changed", "event", "certificate_changed", "expires", pair.Leaf.NotAfter)
		f.deps.Count(ResultChanged)
	case sum == before && sum != f.refused:
		f.refused = sum
		f.deps.Log.Error("the certificate that the files hold now is refused; what was read before stays", "event", "certificate_refused",
			"error", err, "expires", f.expires())
		f.deps.Count(ResultRefused)
	}
}

// take gives new handshakes this pair, and says what browsers will not like about it.
func (f *files) take(pair *tls.Certificate, sum [sha256.Size]byte) {
	f.current.Store(pair)
	f.good, f.refused = sum, [sha256.Size]byte{}
	attrs := []any{"cert", f.config.Cert, "expires", pair.Leaf.NotAfter}
	if now := f.deps.Now(); now.After(pair.Leaf.NotAfter) || now.Before(pair.Leaf.NotBefore) {
		f.deps.Log.Warn("the certificate is not valid at this time: browsers refuse it", append(attrs, "from", pair.Leaf.NotBefore)...)
	}
	if err := pair.Leaf.VerifyHostname(f.deps.Host); err != nil {
		// No refusal: behind a balancer that speaks TLS itself, to both sides, the certificate is for its eyes only.
		f.deps.Log.Warn("the certificate is for another host than public_url's: browsers refuse it", append(attrs, slog.Any("names", pair.Leaf.DNSNames))...)
	}
}

// read reads the pair. The sum is of what the files hold, or why they cannot be read.
func (f *files) read() (*tls.Certificate, [sha256.Size]byte, error) {
	cert, errCert := readFile(f.config.Cert)
	key, errKey := readFile(f.config.Key)
	if err := errors.Join(errCert, errKey); err != nil {
		return nil, sha256.Sum256([]byte(err.Error())), err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\n%s%s", len(cert), cert, key))
	if which, problem := Judge(cert, key); problem != "" {
		return nil, sum, fmt.Errorf("server.tls.%s: %s", which, problem)
	}
	pair, err := tls.X509KeyPair(cert, key)
	return &pair, sum, err
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxFile))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return b, nil
}
