package inbound

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
)

const (
	// maxCertificate bounds one certificate, in bytes, and maxChain how many come beside the client's own.
	maxCertificate = 16 << 10
	maxChain       = 8
)

// chain is a client's certificate and those that it hangs on, as the client or its proxy gave them. Nothing of it is verified but that whoever is at the
// other end has its key.
type chain []*x509.Certificate

// chain returns what r has of certificates: nil is none. At a connection from a trusted proxy the certificate of TLS, if there is one, is the proxy's and
// never the client's; what it says in the configured header is believed. From anybody else that header is nothing (AUN-20).
func (in *Inbound) chain(r *http.Request) (chain, error) {
	if in.fromProxy(r) {
		if in.cfg.Certificate.Header == "" {
			return nil, nil
		}
		return parseClientCert(r.Header)
	}
	if r.TLS == nil {
		return nil, nil
	}
	return r.TLS.PeerCertificates, nil
}

// hasCertificate reports whether there is a certificate, without looking into it.
func (in *Inbound) hasCertificate(r *http.Request) (bool, *Refusal) {
	if in.certs == nil {
		return false, nil
	}
	if !in.fromProxy(r) {
		return r.TLS != nil && len(r.TLS.PeerCertificates) > 0, nil
	}
	if in.cfg.Certificate.Header == "" {
		return false, nil
	}
	switch lines := r.Header["Client-Cert"]; len(lines) {
	case 0:
		return false, nil
	case 1:
		return true, nil
	}
	return false, bad(ReasonCertPeers, errDuplicate)
}

// presented is the client's certificate, to which a token may be bound: nil without one. It need not be of an authority that is known here: that the client
// has its key is what counts (RFC 8705, section 2.2).
func (in *Inbound) presented(r *http.Request) []byte {
	c, err := in.chain(r)
	if err != nil || len(c) == 0 {
		return nil
	}
	return c[0].Raw
}

var errClientCert = errors.New("the header is not a byte sequence with a certificate")

// parseClientCert reads Client-Cert, and Client-Cert-Chain where there is one (RFC 9440, section 2): structured fields, byte sequences without parameters.
func parseClientCert(h http.Header) (chain, error) {
	lines := h["Client-Cert"]
	if len(lines) == 0 {
		return nil, nil
	}
	if len(lines) > 1 {
		return nil, errDuplicate
	}
	leaf, err := parseByteSequence(lines[0])
	if err != nil {
		return nil, err
	}
	c := chain{leaf}
	if len(h["Client-Cert-Chain"]) == 0 {
		return c, nil
	}
	for item := range strings.SplitSeq(strings.Join(h["Client-Cert-Chain"], ","), ",") {
		if len(c) > maxChain {
			return nil, errClientCert
		}
		next, err := parseByteSequence(item)
		if err != nil {
			return nil, err
		}
		c = append(c, next)
	}
	return c, nil
}

// parseByteSequence reads :base64: (RFC 9651, section 3.3.5) with one DER certificate.
func parseByteSequence(item string) (*x509.Certificate, error) {
	item = strings.Trim(item, " \t")
	inner, ok := strings.CutPrefix(item, ":")
	if inner, ok2 := strings.CutSuffix(inner, ":"); ok && ok2 && len(inner) <= maxCertificate*4/3 && !strings.ContainsAny(inner, "\r\n") {
		der, err := base64.StdEncoding.Strict().DecodeString(inner)
		if err != nil {
			return nil, errClientCert
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, errClientCert
		}
		return c, nil
	}
	return nil, errClientCert
}
