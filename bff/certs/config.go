package certs

import (
	"crypto/tls"
	"fmt"
	"net/mail"
	"net/url"
	"strings"
)

// LetsEncrypt is the ACME directory that is asked where the configuration names none.
const LetsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// Config says where the server's certificate comes from: cert and key, or acme. Without any, the server speaks plain HTTP.
type Config struct {
	// Cert is a PEM file with the certificate for public_url's host, and what it hangs on below it. It and key are read again when they change.
	Cert string `yaml:"cert" default:"" file:"watched"`
	// Key is a PEM file with the private key of cert.
	Key string `yaml:"key" default:"" file:"watched"`
	// ACME gets the certificate from an ACME server such as Let's Encrypt, and renews it.
	ACME ACME `yaml:"acme" filled:"true" example:"{agree: true, cache: /var/lib/cloakroom/acme}"`
}

// ACME says who is asked for the certificate of public_url's host. The server proves that the host is its own by tls-alpn-01 on `listen`, which must be
// reachable as port 443, and by http-01 on `http_listen`, where there is one, as port 80.
type ACME struct {
	// Email is where the ACME server writes to when something is wrong with the account. May be empty.
	Email string `yaml:"email" default:""`
	// Agree must be true: you agree to the terms of service of the ACME server.
	Agree bool `yaml:"agree" default:"false"`
	// Cache is an existing folder for the account's and the certificate's keys, readable by the server alone. Replicas share it. Needed.
	Cache string `yaml:"cache" default:"" file:"dir" example:"/var/lib/cloakroom/acme"`
	// Directory is the ACME server's directory URL.
	Directory string `yaml:"directory" default:"https://acme-v02.api.letsencrypt.org/directory"`
	// CA is a PEM file with the authorities that may vouch for the ACME server itself. Default: the system's. Read at the start.
	CA string `yaml:"ca" default:"" file:"true"`
}

// Enabled reports whether the server speaks TLS.
func (c Config) Enabled() bool { return c.Cert != "" || c.Key != "" || c.ByACME() }

// ByACME reports whether the certificate comes from an ACME server.
func (c Config) ByACME() bool {
	a := c.ACME
	return a.Email != "" || a.Agree || a.Cache != "" || a.CA != "" || a.Directory != "" && a.Directory != LetsEncrypt
}

// Validate reports what is wrong with c, key by key.
func (c Config) Validate(report func(key, problem string)) {
	switch {
	case c.ByACME() && (c.Cert != "" || c.Key != ""):
		report("acme", "stands beside cert and key; the certificate comes from one of them")
	case c.Cert != "" && c.Key == "":
		report("key", "is missing; cert needs the file with its private key")
	case c.Key != "" && c.Cert == "":
		report("cert", "is missing; key needs the file with its certificate")
	case c.ByACME():
		c.ACME.validate(func(key, problem string) { report("acme."+key, problem) })
	}
}

func (a ACME) validate(report func(key, problem string)) {
	if !a.Agree {
		report("agree", "is not true; say that you agree to the terms of service of the ACME server with agree: true")
	}
	if a.Cache == "" {
		report("cache", "is missing; name a folder that outlives the process, such as /var/lib/cloakroom/acme, or every start orders a certificate")
	}
	if at, err := mail.ParseAddress(a.Email); a.Email != "" && (err != nil || at.Address != a.Email) {
		report("email", fmt.Sprintf("%q is no address; write one such as ops@example.com, or leave it out", a.Email))
	}
	if u, err := url.Parse(a.Directory); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		report("directory", fmt.Sprintf("%q is no directory of an ACME server; write an https URL such as %s", a.Directory, LetsEncrypt))
	}
}

// Judge says what is wrong with a certificate and its key, and which of the two keys of [Config] it is about; "" for nothing. It repeats nothing of the private key.
func Judge(cert, key []byte) (which, problem string) {
	_, err := tls.X509KeyPair(cert, key)
	if err == nil {
		return "", ""
	}
	text := strings.TrimPrefix(err.Error(), "tls: ")
	switch {
	case strings.Contains(text, "does not match"):
		return "key", "is the private key of another certificate than cert's"
	case strings.Contains(text, "key input") || !strings.Contains(text, "certificate"):
		return "key", "has no usable private key in PEM: " + text
	}
	return "cert", "has no usable certificate in PEM: " + text
}
