package inbound

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// certFresh is how long a good certificate is taken again without being verified, unless a file changes or it expires.
	certFresh = time.Minute
	// certsKept bounds how many are remembered.
	certsKept = 4096
)

// certificates know clients by the certificates of their connections.
//
// TLS only asks for one, and makes sure that the client has its key. Whether it is any good is decided here, when a route wants to know: so a browser with a company's
// certificate, or one that expired yesterday, can use everything that wants none.
type certificates struct {
	names []nameRule
	now   func() time.Time
	ca    *watched[authorities]
	crl   *watched[[]*x509.RevocationList] // nil without
	good  *lru.Cache[[sha256.Size]byte, knownCert]
}

// authorities are whose signatures count.
type authorities struct{ pool *x509.CertPool }

// knownCert is a certificate that was verified, against which files, and until when that counts.
type knownCert struct {
	caller Caller
	ca     *x509.CertPool
	crl    *x509.RevocationList // the first of the list, which tells one reading of the file from another; nil without
	until  time.Time
}

func newCertificates(cfg Certificate, d Deps) (*certificates, error) {
	c := &certificates{now: d.Now}
	c.good, _ = lru.New[[sha256.Size]byte, knownCert](certsKept) // fails for no size but those below one
	for i, n := range cfg.Names {
		rule, problem := compileName(n)
		if problem != nil {
			return nil, fmt.Errorf("names[%d].%s %s", i, problem.key, problem.problem)
		}
		c.names = append(c.names, rule)
	}
	var err error
	if c.ca, err = newWatched("callers.certificate.ca", cfg.CA, parseAuthorities); err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	if cfg.CRL == "" {
		return c, nil
	}
	if c.crl, err = newWatched("callers.certificate.crl", cfg.CRL, parseRevocations); err != nil {
		return nil, fmt.Errorf("crl: %w", err)
	}
	return c, nil
}

func (c *certificates) look(d Deps) {
	c.ca.look(d)
	if c.crl != nil {
		c.crl.look(d)
	}
}

func (c *certificates) authorities() *x509.CertPool { return c.ca.get().pool }

// parseAuthorities reads a PEM file of authorities' certificates.
func parseAuthorities(data []byte) (authorities, error) {
	a := authorities{pool: x509.NewCertPool()}
	err := eachPEM(data, "CERTIFICATE", func(der []byte) error {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return errors.New("has a certificate that cannot be read")
		}
		if !cert.IsCA {
			return fmt.Errorf("has the certificate of %q, which is no authority's: it signs no others", cert.Subject.CommonName)
		}
		a.pool.AddCert(cert)
		return nil
	})
	return a, err
}

// parseRevocations reads a PEM file of revocation lists. Who signed them is looked at when they are used.
func parseRevocations(data []byte) ([]*x509.RevocationList, error) {
	var all []*x509.RevocationList
	err := eachPEM(data, "X509 CRL", func(der []byte) error {
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			return errors.New("has a revocation list that cannot be read")
		}
		all = append(all, list)
		return nil
	})
	return all, err
}

// eachPEM hands over the blocks of a file, which must be of one type, and at least one.
func eachPEM(data []byte, want string, take func(der []byte) error) error {
	found := 0
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != want {
			return fmt.Errorf("has a block of type %q; here is only a place for %q", block.Type, want)
		}
		if err := take(block.Bytes); err != nil {
			return err
		}
		found++
	}
	if found == 0 {
		return fmt.Errorf("has no block of type %q", want)
	}
	return nil
}

// byCertificate identifies the client by its certificate.
func (in *Inbound) byCertificate(r *http.Request) (*Caller, error) {
	presented, err := in.chain(r)
	if err != nil {
		return nil, bad(ReasonCertHeader, err)
	}
	if len(presented) == 0 {
		return nil, refuse(ReasonCertMissing, "")
	}
	return in.certs.identify(presented)
}

func (c *certificates) identify(presented chain) (*Caller, error) {
	now, name := c.now(), presented.digest()
	if k, ok := c.good.Get(name); ok && now.Before(k.until) && k.ca == c.authorities() && k.crl == c.lists() {
		caller := k.caller
		return &caller, nil
	}
	ca, crl := c.authorities(), c.lists()
	if refusal := c.judge(presented, now); refusal != nil {
		return nil, refusal
	}
	caller, refusal := c.named(presented[0])
	if refusal != nil {
		return nil, refusal
	}
	until := now.Add(certFresh)
	if presented[0].NotAfter.Before(until) {
		until = presented[0].NotAfter
	}
	c.good.Add(name, knownCert{*caller, ca, crl, until})
	return caller, nil
}

func (c *certificates) lists() *x509.RevocationList {
	if c.crl == nil {
		return nil
	}
	return c.crl.get()[0] // the file has at least one
}

func (p chain) digest() [sha256.Size]byte {
	h := sha256.New()
	for _, c := range p {
		fmt.Fprintf(h, "%d ", len(c.Raw))
		h.Write(c.Raw)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// judge decides whether a certificate is good: an authority's chain, for clients by its own word, valid now, not revoked.
func (c *certificates) judge(presented chain, now time.Time) *Refusal {
	leaf := presented[0]
	if len(presented) > 1+maxChain || leaf.IsCA || !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		// The library takes a certificate that does not say what it is for as one for everything.
		return refuse(ReasonCertUntrusted, "it is not a client's")
	}
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return refuse(ReasonCertTime, "")
	}
	between := x509.NewCertPool()
	for _, other := range presented[1:] {
		between.AddCert(other)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: c.authorities(), Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
			return refuse(ReasonCertTime, "an authority's certificate is over")
		}
		return refuse(ReasonCertUntrusted, "")
	}
	if c.crl == nil || slices.ContainsFunc(chains, func(one []*x509.Certificate) bool { return unrevoked(one, c.crl.get(), now) }) {
		return nil
	}
	return refuse(ReasonCertRevoked, "")
}

// unrevoked reports whether for each certificate of a chain, but for the root, there is a list of its authority that is still good and does not have it.
func unrevoked(one []*x509.Certificate, lists []*x509.RevocationList, now time.Time) bool {
	for i := range len(one) - 1 {
		if !slices.ContainsFunc(lists, func(l *x509.RevocationList) bool { return current(l, one[i+1], now) }) {
			return false
		}
		for _, l := range lists {
			revoked := slices.ContainsFunc(l.RevokedCertificateEntries, func(e x509.RevocationListEntry) bool {
				return e.SerialNumber.Cmp(one[i].SerialNumber) == 0
			})
			if revoked && l.CheckSignatureFrom(one[i+1]) == nil { // also of an old list: what is revoked stays so
				return false
			}
		}
	}
	return true
}

// current reports whether a list is the authority's, and the next one is not due yet.
func current(l *x509.RevocationList, authority *x509.Certificate, now time.Time) bool {
	return !l.ThisUpdate.After(now) && now.Before(l.NextUpdate) && l.CheckSignatureFrom(authority) == nil
}

// named finds out whose certificate it is: the first entry of the configuration that knows one of its names.
func (c *certificates) named(cert *x509.Certificate) (*Caller, *Refusal) {
	for _, rule := range c.names {
		name := rule.find(cert)
		if name == "" {
			continue
		}
		caller := &Caller{Kind: KindCertificate, ID: rule.kind + ":" + name, Name: name, Roles: rule.Roles, Scopes: rule.Scopes, Expires: cert.NotAfter}
		if rule.As != "" {
			caller.Name = rule.As
		}
		caller.Subject = caller.Name
		return caller, nil
	}
	return nil, refuse(ReasonCertName, "")
}
