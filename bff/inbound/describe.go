package inbound

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Description is a caller in words, for whoever asks what would become of its requests. What the configuration says of it is not in it.
type Description struct {
	// Kind is one of the Kind constants.
	Kind string
	// Subject is what rules call it: the ID of an API key, a user name, or the name in a certificate with its kind, as in dns:billing.internal. A token has it in its claims.
	Subject string
	// Roles and Scopes are those of an API key.
	Roles, Scopes []string
	// Claims are those of a token. Without an issuer they are of the one that is configured.
	Claims map[string]any
}

// Describe returns who comes with a good credential that belongs to d. The refusal is that of a good credential whose owner is not taken.
func (in *Inbound) Describe(d Description) (*Caller, *Refusal) {
	switch {
	case !slices.Contains(in.cfg.Kinds(), d.Kind):
	case d.Kind == KindAPIKey:
		return &Caller{Kind: d.Kind, ID: d.Subject, Name: d.Subject, Subject: d.Subject, Roles: d.Roles, Scopes: d.Scopes}, nil
	case d.Kind == KindBasic:
		if _, known := in.users.file.get().of(d.Subject); !known {
			return nil, refuse(ReasonBasicPassword, "")
		}
		return in.users.caller(d.Subject), nil
	case d.Kind == KindBearer:
		return in.claimed(d.Claims)
	default:
		return in.certs.named(certificateOf(d.Subject))
	}
	return nil, refuse(ReasonMalformed, "")
}

// claimed is who has a token with these claims. That it is for us, of this time and signed is taken for granted.
func (in *Inbound) claimed(claims map[string]any) (*Caller, *Refusal) {
	text, err := json.Marshal(claims)
	if err != nil {
		return nil, refuse(ReasonTokenMalformed, "")
	}
	read, err := decodeObject(text)
	if err != nil {
		return nil, refuse(ReasonTokenMalformed, "")
	}
	if _, there := read["iss"]; !there && len(in.issuers) == 1 {
		read["iss"] = in.issuers[0].cfg.Issuer
	}
	for _, one := range in.issuers {
		if read["iss"] != any(one.cfg.Issuer) {
			continue
		}
		subject, reason := subjectOf(read)
		if reason != "" {
			return nil, refuse(reason, "")
		}
		return readClaims(bearerOf(one.cfg, subject), read, one.cfg)
	}
	return nil, refuse(ReasonTokenIssuer, "")
}

// certificateOf is a certificate that has one name, and else nothing.
func certificateOf(subject string) *x509.Certificate {
	kind, name, _ := strings.Cut(subject, ":")
	cert := &x509.Certificate{}
	switch kind {
	case "dns":
		cert.DNSNames = []string{name}
	case "uri":
		if u, err := url.Parse(name); err == nil {
			cert.URIs = []*url.URL{u}
		}
	case "email":
		cert.EmailAddresses = []string{name}
	}
	return cert
}

// StandIn gives r a credential of a kind that is good for nothing but to be found by [Inbound.Present].
func (in *Inbound) StandIn(r *http.Request, kind string) {
	add := func(name, value string) {
		name = http.CanonicalHeaderKey(name)
		r.Header[name] = append(r.Header[name], value)
	}
	byBearer := strings.EqualFold(in.cfg.APIKey.Header, "Authorization")
	switch {
	case !slices.Contains(in.cfg.Kinds(), kind):
	case kind == KindAPIKey && byBearer:
		add("Authorization", "Bearer "+keyPrefix+"stand-in")
	case kind == KindAPIKey:
		add(in.cfg.APIKey.Header, "stand-in")
	case kind == KindBasic:
		add("Authorization", "Basic stand-in")
	case kind == KindBearer:
		add("Authorization", "Bearer stand-in")
	default:
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{}}}
	}
}
