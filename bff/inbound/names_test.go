package inbound

import (
	"crypto/x509"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
)

// AUN-20: who is known by which alternative name.
func TestNamesOfCertificates(t *testing.T) {
	for _, c := range []struct {
		rule Name
		has  string // the alternative name, of the rule's kind
		want bool
	}{
		{Name{DNS: "orders.internal"}, "orders.internal", true},
		{Name{DNS: "Orders.Internal"}, "oRDERS.internal", true},
		{Name{DNS: "orders.internal"}, "orders.internal.evil.test", false},
		{Name{DNS: "orders.internal"}, "x.orders.internal", false},
		{Name{DNS: "*.internal"}, "orders.internal", true},
		{Name{DNS: "*.internal"}, "a.orders.internal", false},
		{Name{DNS: "*.internal"}, "internal", false},
		{Name{DNS: "*.internal"}, ".internal", false},
		{Name{DNS: "*.internal"}, "*.internal", false},
		{Name{DNS: "*.internal"}, "xinternal", false},
		{Name{DNS: "*.internal"}, "a b.internal", false},
		{Name{DNS: "orders.internal"}, "orders.internal.", false},

		{Name{URI: "spiffe://example.org/ns/shop/sa/orders"}, "spiffe://example.org/ns/shop/sa/orders", true},
		{Name{URI: "spiffe://example.org/ns/shop/sa/orders"}, "spiffe://EXAMPLE.org/ns/shop/sa/orders", true},
		{Name{URI: "spiffe://example.org/ns/shop/sa/orders"}, "spiffe://example.org/ns/shop/sa/Orders", false},
		{Name{URI: "spiffe://example.org/ns/shop/sa/*"}, "spiffe://example.org/ns/shop/sa/orders", true},
		{Name{URI: "spiffe://example.org/ns/*/sa/orders"}, "spiffe://example.org/ns/shop/sa/orders", true},
		{Name{URI: "spiffe://example.org/ns/*/sa/orders"}, "spiffe://example.org/ns/a/b/sa/orders", false},
		{Name{URI: "spiffe://example.org/ns/shop/sa/*"}, "spiffe://example.org/ns/shop/sa/", false},
		{Name{URI: "spiffe://example.org/ns/shop/sa/*"}, "spiffe://example.org/ns/shop/sa/a/b", false},
		{Name{URI: "spiffe://example.org/ns/shop/sa/*"}, "spiffe://example.org/ns/shop/sa/a%2Fb", false},
		{Name{URI: "spiffe://example.org/ns/shop/sa/*"}, "spiffe://example.org/ns/shop/sa/..", false},
		{Name{URI: "spiffe://example.org/ns/shop/sa/*"}, "spiffe://example.org.evil.test/ns/shop/sa/a", false},
		{Name{URI: "spiffe://example.org/a"}, "spiffe://evil@example.org/a", false},
		{Name{URI: "spiffe://example.org/a"}, "spiffe://example.org/a?b", false},
		{Name{URI: "spiffe://example.org/a"}, "spiffe://example.org/a#b", false},
		{Name{URI: "spiffe://example.org/a"}, "https://example.org/a", false},
		{Name{URI: "urn:example:orders"}, "urn:example:orders", true},
		{Name{URI: "urn:example:orders"}, "urn:example:orders2", false},

		{Name{Email: "ops@example.com"}, "ops@example.com", true},
		{Name{Email: "ops@example.com"}, "ops@EXAMPLE.com", true},
		{Name{Email: "ops@example.com"}, "Ops@example.com", false},
		{Name{Email: "*@example.com"}, "ops@example.com", true},
		{Name{Email: "*@example.com"}, "first.last@example.com", true},
		{Name{Email: "*@example.com"}, "ops@sub.example.com", false},
		{Name{Email: "*@example.com"}, `"ops@example.com,x"@example.com`, false},
		{Name{Email: "*@example.com"}, "ops@evil.test@example.com", false},
		{Name{Email: "*@example.com"}, "*@example.com", false},
		{Name{Email: "*@example.com"}, "@example.com", false},
	} {
		rule, problem := compileName(c.rule)
		if problem != nil {
			t.Fatalf("%+v: %v", c.rule, *problem)
		}
		cert := &x509.Certificate{}
		switch rule.kind {
		case "dns":
			cert.DNSNames = []string{"other.test", c.has}
		case "uri":
			cert.URIs = []*url.URL{uri(t, c.has)}
		case "email":
			cert.EmailAddresses = []string{c.has}
		}
		if got := rule.find(cert); (got != "") != c.want {
			t.Errorf("%s %q for %q: found %q, want one: %v", rule.kind, rule.pattern, c.has, got, c.want)
		}
		other := &x509.Certificate{DNSNames: []string{c.has}, EmailAddresses: []string{c.has}}
		if rule.kind == "uri" && rule.find(other) != "" {
			t.Errorf("a name of one kind counts as one of another: %q", c.has)
		}
	}
}

func TestNamesThatAreNone(t *testing.T) {
	for _, n := range []Name{
		{}, {DNS: "a.test", URI: "x://y/z"}, {DNS: "*"}, {DNS: "*."}, {DNS: "a.*.test"}, {DNS: "*a.test"}, {DNS: "a..test"}, {DNS: "a b"}, {DNS: "*.*.test"},
		{URI: "orders"}, {URI: "spiffe://*/a"}, {URI: "spiffe://example.org/a*"}, {URI: "spiffe://u@example.org/a"}, {URI: "x://y/z?q"}, {URI: "urn:a:*"}, {URI: "x://y/%41"}, {URI: "://"},
		{Email: "a"}, {Email: "a@"}, {Email: "@b.test"}, {Email: "a*@b.test"}, {Email: "a@*.test"}, {Email: "a@b@c.test"},
	} {
		if rule, problem := compileName(n); problem == nil {
			t.Errorf("%+v is taken, as %+v", n, rule)
		}
	}
}

// The first entry that knows a certificate counts, whatever the order of the certificate's names.
func TestTheFirstEntryCounts(t *testing.T) {
	var c certificates
	for _, n := range []Name{{URI: "spiffe://example.org/a", As: "first"}, {DNS: "*.internal", As: "second"}, {DNS: "orders.internal", As: "third"}} {
		rule, _ := compileName(n)
		c.names = append(c.names, rule)
	}
	got, refused := c.named(&x509.Certificate{DNSNames: []string{"orders.internal"}})
	if refused != nil || got.Name != "second" || got.Subject != "second" || got.ID != "dns:orders.internal" {
		t.Errorf("got %+v, %v", got, refused)
	}
	got, refused = c.named(&x509.Certificate{DNSNames: []string{"orders.internal"}, URIs: []*url.URL{uri(t, "spiffe://example.org/a")}})
	if refused != nil || got.Name != "first" {
		t.Errorf("got %+v, %v", got, refused)
	}
}

// A name that a pattern knows is as long as the pattern says, and has nothing in it that logs or rules could read in two ways.
func FuzzNames(f *testing.F) {
	f.Add("orders.internal", "a@b.test", "spiffe://example.org/ns/x/sa/y")
	f.Add("*.internal", "*@b.test", "spiffe://example.org/ns/%2e%2e/sa/y")
	dns, _ := compileName(Name{DNS: "*.internal"})
	mail, _ := compileName(Name{Email: "*@b.test"})
	id, _ := compileName(Name{URI: "spiffe://example.org/ns/*/sa/y"})
	f.Fuzz(func(t *testing.T, name, address, uri string) {
		cert := &x509.Certificate{DNSNames: []string{name}, EmailAddresses: []string{address}}
		if u, err := url.Parse(uri); err == nil {
			cert.URIs = []*url.URL{u}
		}
		for kind, found := range map[string]string{"dns": dns.find(cert), "email": mail.find(cert), "uri": id.find(cert)} {
			bad := strings.ContainsFunc(found, notVisible) || strings.ContainsAny(found, " %*?#\"<>") || len(found) > maxName
			switch {
			case found == "":
				continue
			case kind == "dns":
				bad = bad || strings.Count(found, ".") != 1 || !strings.HasSuffix(found, ".internal")
			case kind == "email":
				bad = bad || strings.Count(found, "@") != 1
			case kind == "uri":
				bad = bad || strings.Count(found, "/") != 6
			}
			if bad {
				t.Fatalf("%s: %q", kind, found)
			}
		}
	})
}

// Whatever stands in the headers, what is parsed is a certificate of a byte sequence.
func FuzzClientCert(f *testing.F) {
	f.Add(":AAAA:", "")
	f.Add("::", ":,:")
	root := newAuthority(f, "root", nil)
	encoded := encodeForTest(root.cert.Raw)
	f.Add(encoded, encoded+","+encoded)
	f.Fuzz(func(t *testing.T, one, chain string) {
		c, err := parseClientCert(map[string][]string{"Client-Cert": {one}, "Client-Cert-Chain": {chain}})
		if err == nil && (len(c) < 2 || len(c) > 1+maxChain || encodeForTest(c[0].Raw) != strings.Trim(one, " \t")) {
			t.Fatalf("%q is %d certificates", one, len(c))
		}
	})
}

func encodeForTest(der []byte) string { return ":" + base64.StdEncoding.EncodeToString(der) + ":" }
