package policy

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"
)

// noon is a Monday, 12:00 in Berlin.
var noon = time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)

// berlin is what the tests' rules share.
var berlin = Config{
	TimeZone:     "Europe/Berlin",
	MapRoles:     map[string][]string{"grp-4711": {"support"}, "grp-0815": {"admin", "auditor"}, "retired": {}},
	InheritRoles: map[string][]string{"admin": {"support"}, "support": {"customer"}},
}

func newSet(t testing.TB, rules map[string]Rule, hidden ...string) *Set {
	t.Helper()
	s, err := NewSet(berlin, rules, hidden...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func compile(t testing.TB, s *Set, a Allow, hasResource bool) *Policy {
	t.Helper()
	p, err := s.Compile(a, hasResource)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// when is an Allow with nothing but an expression.
func when(expression string) Allow { return Allow{Terms: Terms{When: expression}} }

// alice is signed in, five minutes ago by two factors.
func alice() Identity {
	return Identity{
		Kind: KindSession, Issuer: "https://id.example.com", Subject: "alice", Provider: "main", Session: "SESSIONID",
		ACR: "urn:mfa", AuthTime: noon.Add(-5 * time.Minute), Created: noon.Add(-5 * time.Minute),
		Roles: []string{"editor", "grp-4711"}, Scopes: []string{"docs.write", "docs.read"},
		Claims: map[string]any{
			"sub": "alice", "tenant": "t1", "level": 3.0, "admin": true, "groups": []any{"a", "b"}, "address": map[string]any{"country": "DE"},
			"big": 9007199254740993.0, "bigs": []any{1.0, 9007199254740993.0}, "nothing": nil,
		},
	}
}

// request is one behind the edge, at noon, from the network of documentation.
func request(method, target string, header ...string) *Request {
	r := httptest.NewRequest(method, target, http.NoBody)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return &Request{
		Route: "/api/documents/{id}", ID: "REQUESTID", HTTP: r, Client: netip.MustParseAddr("192.0.2.7"), Now: noon,
		Value: func(_, name string) (string, bool) { return "7", name == "id" },
	}
}
