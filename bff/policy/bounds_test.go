package policy

import (
	"fmt"
	"strings"
	"testing"
)

// AUZ-04: what a request, an upstream or a configuration brings to rules has bounds, and what is beyond them is never taken for something else.
func TestWhatRulesLookAtIsBounded(t *testing.T) {
	nested := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	resource := func(text string) error { _, err := ParseResource([]byte(text)); return err }
	parameters := func(n int) error { return parseParameters(strings.Repeat("a=1&", n-1) + "b=2").err }
	compiled := func(expression string) error { _, err := parseExpression(expression); return err }
	challenge := func(filler int) error {
		if _, ok := ParseChallenge([]string{`Bearer error="insufficient_user_authentication", acr_values="urn:mfa", x="` + strings.Repeat("x", filler) + `"`}); !ok {
			return fmt.Errorf("is none")
		}
		return nil
	}
	header := func(n int) error {
		s := newSet(t, nil)
		p := compile(t, s, when(`request.headers["x-tenant"] != ""`), false)
		return p.Decide(s.Subject(alice()), request("GET", "/", "X-Tenant", strings.Repeat("x", n))).Err
	}
	for _, c := range []struct {
		name         string
		within, over error
	}{
		{"a resource's nesting", resource(nested(maxNesting)), resource(nested(maxNesting + 1))},
		{"a resource's size", resource(`{"a":"` + strings.Repeat("x", maxResource-8) + `"}`), resource(`{"a":"` + strings.Repeat("x", maxResource-7) + `"}`)},
		{"parameters", parameters(maxParams), parameters(maxParams + 1)},
		{"a value", header(maxText), header(maxText + 1)},
		{"an expression's length", compiled(`"` + strings.Repeat("x", maxExpression-8) + `" != ""`), compiled(`"` + strings.Repeat("x", maxExpression) + `" != ""`)},
		{"an expression's depth", compiled(strings.Repeat("(", 10) + "true" + strings.Repeat(")", 10)), compiled(strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200))},
		{"a regular expression", compiled(`user.sub.matches("^[a-z]{1,50}$")`), compiled(`user.sub.matches("^([a-z]{1,200}){1,20}$")`)},
		{"a challenge", challenge(100), challenge(maxChallenge)},
	} {
		if c.within != nil {
			t.Errorf("%s within its bound: %v", c.name, c.within)
		}
		if c.over == nil {
			t.Errorf("%s beyond its bound is taken", c.name)
		}
	}
}
