package inbound

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// taken are headers that mean something already.
var taken = []string{
	"Cookie", "Host", "Content-Type", "Content-Length", "Origin", "Referer", "Accept", "User-Agent", "X-Csrf", "Forwarded", "Client-Cert", "Client-Cert-Chain",
	"Connection", "Upgrade", "Te", "Trailer", "Transfer-Encoding", "Proxy-Authorization", "Dpop", "X-Request-Id",
}

// Kinds are the kinds of callers that c knows, in the order in which they are documented.
func (c Config) Kinds() []string {
	var kinds []string
	for _, k := range []struct {
		kind  string
		known bool
	}{
		{KindAPIKey, c.APIKey.Header != ""}, {KindBasic, c.Basic.File != ""}, {KindBearer, len(c.Bearer) > 0}, {KindCertificate, c.Certificate.CA != ""},
	} {
		if k.known {
			kinds = append(kinds, k.kind)
		}
	}
	return kinds
}

// Validate reports what is wrong between the parts of c; each part has its own.
func (c Config) Validate(report func(key, problem string)) {
	seen := map[string]int{}
	for i, b := range c.Bearer {
		if first, twice := seen[b.Issuer]; twice {
			report(fmt.Sprintf("bearer[%d].issuer", i), fmt.Sprintf("is that of bearer[%d], too; one issuer has one entry", first))
			continue
		}
		seen[b.Issuer] = i
	}
}

// Validate reports what is wrong with a.
func (a APIKey) Validate(report func(key, problem string)) {
	name := http.CanonicalHeaderKey(a.Header)
	switch {
	case a.Header == "":
	case !httpguts.ValidHeaderFieldName(a.Header) || strings.ContainsAny(a.Header, "_."):
		report("header", fmt.Sprintf("%q is no header; write a name of letters, digits and hyphens such as X-API-Key", a.Header))
	case slices.Contains(taken, name) || strings.HasPrefix(name, "Sec-") || strings.HasPrefix(name, "X-Forwarded-"):
		report("header", fmt.Sprintf("%q means something else already; write X-API-Key, or Authorization", a.Header))
	}
}

// Validate reports what is wrong with b, but not what is wrong with its file.
func (b Basic) Validate(report func(key, problem string)) {
	if b.File == "" && (len(b.Roles) > 0 || b.Realm != "" && b.Realm != "api") {
		report("file", "is missing; name a file of user:hash lines, as htpasswd -B writes them")
	}
	if strings.ContainsFunc(b.Realm, func(r rune) bool { return notVisible(r) || r == '"' || r == '\\' }) {
		report("realm", fmt.Sprintf("%q has a character that no realm may have here", b.Realm))
	}
	for _, name := range slices.Sorted(maps.Keys(b.Roles)) {
		if !isUser(name) {
			report("roles."+name, "is no user name; it has no colon and nothing that cannot be seen")
		}
		badWords(b.Roles[name], "roles."+name, "role", report)
	}
}

// Validate reports what is wrong with b.
func (b Bearer) Validate(report func(key, problem string)) {
	if problem := badIssuer(b.Issuer); problem != "" {
		report("issuer", problem)
	}
	if b.JWKSURL != "" {
		if problem := badEndpoint(b.JWKSURL, b.Issuer); problem != "" {
			report("jwks_url", problem)
		}
	}
	if len(b.Audience) == 0 {
		report("audience", "is empty; without it, a token for any other server of the issuer would be good here")
	}
	badWords(b.Audience, "audience", "audience", report)
	if len(b.SigningAlgs) == 0 {
		report("signing_algs", "is empty; leave the key out for the usual ones")
	}
	badWords(b.SigningAlgs, "signing_algs", "algorithm", report)
	for key, path := range map[string]string{"roles_claim": b.RolesClaim, "scopes_claim": b.ScopesClaim} {
		if path != "" && slices.Contains(strings.Split(path, "."), "") {
			report(key, fmt.Sprintf("%q has an empty part; write a dotted path such as realm_access.roles", path))
		}
	}
	if b.ClockSkew > 60*time.Second {
		report("clock_skew", fmt.Sprintf("%v is more than 60s; set the clock instead", b.ClockSkew))
	}
	if b.Timeout < time.Second || b.Timeout > 60*time.Second {
		report("timeout", fmt.Sprintf("%v is not between 1s and 60s", b.Timeout))
	}
}

// Validate reports what is wrong with c, but not what is wrong with its files.
func (c Certificate) Validate(report func(key, problem string)) {
	if c.CA == "" && (len(c.Names) > 0 || c.Header != "" || c.CRL != "") {
		report("ca", "is missing; name the file with the authorities that sign clients' certificates")
	}
	if c.Header != "" && c.Header != "Client-Cert" {
		report("header", fmt.Sprintf("%q is not the header of RFC 9440; write Client-Cert, and let the proxy send that", c.Header))
	}
	if c.CA != "" && len(c.Names) == 0 {
		report("names", "is empty: nobody would be known. Add an entry such as {dns: orders.internal}")
	}
}

// Validate reports what is wrong with n.
func (n Name) Validate(report func(key, problem string)) {
	if _, err := compileName(n); err != nil {
		report(err.key, err.problem)
	}
	if strings.ContainsFunc(n.As, notVisible) || len(n.As) > maxName {
		report("as", fmt.Sprintf("%q is no name; write up to %d visible characters", n.As, maxName))
	}
	badWords(n.Roles, "roles", "role", report)
	badWords(n.Scopes, "scopes", "scope", report)
}

// badWords reports what is no word, and what is there twice.
func badWords(list []string, key, what string, report func(key, problem string)) {
	for i, s := range list {
		item := fmt.Sprintf("%s[%d]", key, i)
		switch {
		case s == "" || len(s) > maxWord || strings.ContainsFunc(s, notVisible):
			report(item, fmt.Sprintf("%q is no %s", s, what))
		case strings.Contains(s, " ") && what == "scope":
			report(item, fmt.Sprintf("%q is no scope; several are several items of the list", s))
		case slices.Index(list, s) < i:
			report(item, fmt.Sprintf("%q is there twice", s))
		}
	}
}

// badIssuer says why text is no issuer identifier (RFC 8414, section 2).
func badIssuer(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Sprintf("%q is no issuer; write the URL that its tokens have in iss, such as https://id.example.com", text)
	case u.User != nil:
		return "has a user name or password in it; an issuer has none"
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return fmt.Sprintf("%q has a query or fragment; an issuer has none", text)
	case strings.Contains(u.Path, "/.well-known/"):
		return fmt.Sprintf("%q is the discovery document; write what stands before /.well-known/", text)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return fmt.Sprintf("%q is plain http, where anybody on the way can make tokens for anybody; write https (http is for localhost alone)", text)
	}
	return ""
}

// badEndpoint says why a URL of an issuer is not used. Plain http is for an issuer on this machine alone.
func badEndpoint(text, issuer string) string {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "is missing"
	case err != nil || u.Hostname() == "" || u.User != nil || strings.Contains(text, "#"):
		return "is not a plain URL"
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()) && strings.HasPrefix(issuer, "http://"):
		return ""
	}
	return "must be https"
}

func loopback(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// Bounds of names, in bytes.
const (
	maxName = 255 // who somebody is
	maxWord = 256 // a role, a scope, an audience
)

func notVisible(r rune) bool { return r < ' ' || r > '~' }
