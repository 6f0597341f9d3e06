package inbound

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// nameRule is a Name, ready to be compared.
type nameRule struct {
	Name
	kind    string // dns, uri, email
	pattern string
	uri     *url.URL // of a URI
}

// nameProblem says what is wrong with a key of a Name.
type nameProblem struct{ key, problem string }

// compileName reads a Name.
func compileName(n Name) (nameRule, *nameProblem) {
	rule := nameRule{Name: n}
	for _, k := range []struct{ kind, pattern string }{{"dns", n.DNS}, {"uri", n.URI}, {"email", n.Email}} {
		if k.pattern == "" {
			continue
		}
		if rule.kind != "" {
			return rule, &nameProblem{k.kind, "stands beside " + rule.kind + "; an entry is for one name"}
		}
		rule.kind, rule.pattern = k.kind, k.pattern
	}
	problem := ""
	switch rule.kind {
	case "":
		return rule, &nameProblem{"dns", "is missing; an entry needs one of dns, uri and email"}
	case "dns":
		rule.pattern = strings.ToLower(n.DNS)
		if !isDNS(strings.TrimPrefix(rule.pattern, "*.")) {
			problem = "write one such as orders.internal, or *.workers.internal, where * is one whole label"
		}
	case "uri":
		var err error
		if rule.uri, err = url.Parse(n.URI); err != nil || !plainURI(rule.uri) || strings.Contains(rule.uri.Host, "*") {
			problem = "write one such as spiffe://example.org/ns/shop/sa/orders; * may stand for one segment of the path"
			break
		}
		for segment := range strings.SplitSeq(rule.uri.EscapedPath(), "/") {
			if strings.Contains(segment, "*") && segment != "*" {
				problem = "* stands for a whole segment of the path, not for a part of one"
			}
		}
	case "email":
		local, domain, ok := cutEmail(n.Email)
		if !ok || !isDNS(strings.ToLower(domain)) || strings.Contains(local, "*") && local != "*" {
			problem = "write one such as ops@example.com, or *@ops.example.com"
		}
	}
	if problem != "" {
		return rule, &nameProblem{rule.kind, fmt.Sprintf("%q is no name: %s", rule.pattern, problem)}
	}
	return rule, nil
}

// find returns the alternative name of a certificate that the rule knows, or "".
func (n nameRule) find(c *x509.Certificate) string {
	switch n.kind {
	case "dns":
		for _, name := range c.DNSNames {
			if name = strings.ToLower(name); isDNS(name) && matchDNS(n.pattern, name) {
				return name
			}
		}
	case "uri":
		for _, u := range c.URIs {
			if plainURI(u) && matchURI(n.uri, u) {
				return u.String()
			}
		}
	case "email":
		for _, address := range c.EmailAddresses {
			if matchEmail(n.pattern, address) {
				return address
			}
		}
	}
	return ""
}

// matchDNS compares names in small letters. A name with * itself, as servers' certificates have, is nobody's: isDNS refuses it.
func matchDNS(pattern, name string) bool {
	rest, wild := strings.CutPrefix(pattern, "*.")
	if !wild {
		return pattern == name
	}
	label, domain, ok := strings.Cut(name, ".")
	return ok && label != "" && domain == rest
}

func isDNS(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// plainURI reports whether a URI is one that can name somebody: no user, query or fragment, and nothing that two readers read in two ways.
func plainURI(u *url.URL) bool {
	text := u.String()
	if u.Scheme == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || len(text) > maxName || strings.ContainsFunc(text, notVisible) {
		return false
	}
	if u.Opaque != "" { // urn:…
		return !strings.ContainsAny(u.Opaque, "%*")
	}
	path := u.EscapedPath()
	return u.Host != "" && !strings.Contains(path, "%") && !strings.Contains(path, "//") && !strings.Contains(path+"/", "/./") && !strings.Contains(path+"/", "/../")
}

// matchURI compares segment by segment: a * is one of them, and not an empty one.
func matchURI(pattern, u *url.URL) bool {
	if pattern.Scheme != u.Scheme || !strings.EqualFold(pattern.Host, u.Host) || pattern.Opaque != u.Opaque {
		return false
	}
	want, got := strings.Split(pattern.EscapedPath(), "/"), strings.Split(u.EscapedPath(), "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] != got[i] && (want[i] != "*" || got[i] == "") {
			return false
		}
	}
	return true
}

// matchEmail compares the part before the @ as it is, and the domain whatever its case (RFC 5280, section 7.5).
func matchEmail(pattern, address string) bool {
	local, domain, ok := cutEmail(address)
	wantLocal, wantDomain, _ := cutEmail(pattern)
	return ok && local != "*" && strings.EqualFold(domain, wantDomain) && (wantLocal == "*" || local == wantLocal)
}

// cutEmail takes apart an address without quotes, comments and the like.
func cutEmail(address string) (local, domain string, ok bool) {
	local, domain, ok = strings.Cut(address, "@")
	ok = ok && local != "" && domain != "" && !strings.Contains(domain, "@") && len(address) <= maxName
	for part := range strings.SplitSeq(local, ".") {
		ok = ok && httpguts.ValidHeaderFieldName(part) // the characters of an atom but for = ? { } /, which no name here needs
	}
	return local, domain, ok
}
