package policy

import (
	"net/http"
	"testing"
)

// AUZ-04: a header that Connection names stays here (RFC 9110, section 7.6.1), so a rule that saw it would have judged another request than the upstream gets.
func TestAHeaderThatStaysHereHasNoValue(t *testing.T) {
	s := newSet(t, nil)
	present := compile(t, s, when(`request.headers["x-tenant"] == "t1"`), false)
	absent := compile(t, s, when(`!("x-tenant" in request.headers)`), false)
	asked := Allow{}
	asked.OPA = agentAt(decision)
	asked.OPA.Headers = []string{"x-tenant"}
	agent := compile(t, s, asked, false)
	calls := 0
	opa := NewOPAClient(OPADeps{Transport: transport(func(*http.Request) (*http.Response, error) { calls++; return says(`{"result":true}`) })})
	u := s.Subject(alice())
	for name, c := range map[string]struct {
		connection []string
		stays      bool
	}{
		"as browsers send it":     {[]string{"keep-alive"}, false},
		"named":                   {[]string{"keep-alive, X-Tenant"}, true},
		"named in small letters":  {[]string{"x-tenant"}, true},
		"named on a line of its":  {[]string{"keep-alive", " x-TENANT\t,close"}, true},
		"something else is named": {[]string{"x-tenant-id, x-tenan"}, false},
	} {
		r := request("GET", "/x", "X-Tenant", "t1")
		r.HTTP.Header["Connection"] = c.connection
		if v := present.Decide(u, r); v.Allow == c.stays || c.stays && v.Reason != ReasonWhenError {
			t.Errorf("%s: there: %+v", name, v)
		}
		if v := absent.Decide(u, r); v.Allow {
			t.Errorf("%s: not there: %+v", name, v)
		}
		calls = 0
		v := agent.Ask(t.Context(), u, r, Sources{OPA: opa})
		if v.Allow == c.stays || c.stays && (v.Reason != ReasonRequest || calls > 0) {
			t.Errorf("%s: asked %d times: %+v", name, calls, v)
		}
	}
}
