package inbound

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// Who is described is who comes with a credential of that kind: what the configuration says of it holds.
func TestADescribedCallerIsTheOneOfItsCredential(t *testing.T) {
	in := &Inbound{
		cfg:     Config{APIKey: APIKey{Header: "X-API-Key"}, Basic: Basic{File: "users"}, Bearer: []Bearer{{}}, Certificate: Certificate{CA: "ca"}},
		users:   &passwords{roles: map[string][]string{"alice": {"support"}}, file: &watched[userFile]{}},
		issuers: []*issuer{{cfg: Bearer{Issuer: "https://id.example.com", RolesClaim: "groups", RolesFormat: "array", ScopesClaim: "scope", ScopesFormat: "space_separated"}}},
		certs:   &certificates{},
	}
	in.users.file.current.Store(&userFile{hashes: map[string]hash{"alice": nil}})
	rule, _ := compileName(Name{DNS: "*.workers.internal", As: "worker", Roles: []string{"service"}})
	in.certs.names = []nameRule{rule}
	for _, c := range []struct {
		name, subject, issuer, reason string
		d                             Description
		roles, scopes                 []string
	}{
		{name: "an API key", d: Description{Kind: KindAPIKey, Subject: "importer", Roles: []string{"a"}, Scopes: []string{"b"}}, subject: "importer", roles: []string{"a"}, scopes: []string{"b"}},
		{name: "a user of the file", d: Description{Kind: KindBasic, Subject: "alice"}, subject: "alice", roles: []string{"support"}},
		{name: "nobody of the file", d: Description{Kind: KindBasic, Subject: "bob"}, reason: ReasonBasicPassword},
		{name: "a token of the one issuer", d: Description{Kind: KindBearer, Claims: map[string]any{"sub": "robot", "groups": []any{"r"}, "scope": "x y"}}, subject: "robot", issuer: "https://id.example.com", roles: []string{"r"}, scopes: []string{"x", "y"}},
		{name: "a token of another", d: Description{Kind: KindBearer, Claims: map[string]any{"sub": "robot", "iss": "https://evil.example"}}, reason: ReasonTokenIssuer},
		{name: "a token about nobody", d: Description{Kind: KindBearer, Claims: map[string]any{}}, reason: ReasonTokenSubject},
		{name: "a certificate", d: Description{Kind: KindCertificate, Subject: "dns:a.workers.internal"}, subject: "worker", roles: []string{"service"}},
		{name: "a certificate of another name", d: Description{Kind: KindCertificate, Subject: "uri:spiffe://a/b"}, reason: ReasonCertName},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, refusal := in.Describe(c.d)
			if refusal != nil || c.reason != "" {
				if refusal == nil || refusal.Reason != c.reason {
					t.Fatalf("refused by %v, want %q", refusal, c.reason)
				}
				return
			}
			if got.Kind != c.d.Kind || got.Subject != c.subject || got.Issuer != c.issuer || !slices.Equal(got.Roles, c.roles) || !slices.Equal(got.Scopes, c.scopes) {
				t.Errorf("%+v", got)
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			in.StandIn(r, c.d.Kind)
			if kind, err := in.Present(r, in.cfg.Kinds()); kind != c.d.Kind || err != nil {
				t.Errorf("its stand-in is found as %q (%v)", kind, err)
			}
		})
	}
}
