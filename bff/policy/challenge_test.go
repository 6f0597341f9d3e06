package policy

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

const insufficient = `Bearer error="insufficient_user_authentication"`

// OAX-17, OAX-18: what an upstream asks for is taken only in exactly the form of RFC 9470.
func TestParseChallenge(t *testing.T) {
	for name, c := range map[string]struct {
		values []string
		want   string // the query of the sign-in; "no" for none
	}{
		"the RFC's first example":                  {[]string{insufficient + `, error_description="A different authentication level is required", acr_values="myACR"`}, "acr_values=myACR"},
		"the RFC's second":                         {[]string{insufficient + `, error_description="More recent authentication is required", max_age="5"`}, "max_age=5"},
		"both":                                     {[]string{insufficient + `, acr_values="urn:a https://x.example/b", max_age=0`}, "acr_values=urn%3Aa+https%3A%2F%2Fx.example%2Fb&max_age=0"},
		"neither":                                  {[]string{insufficient}, "max_age=0"},
		"other letters in scheme and names":        {[]string{`bEARER Error="insufficient_user_authentication",MAX_AGE=7`}, "max_age=7"},
		"spaces where they may be":                 {[]string{"Bearer  error = \"insufficient_user_authentication\" ,\tmax_age=7 , "}, "max_age=7"},
		"after another challenge":                  {[]string{`Basic realm="a, b=\"c\"", ` + insufficient + `, max_age=7`}, "max_age=7"},
		"before another one":                       {[]string{insufficient + `, max_age=7, Basic realm="x"`}, "max_age=7"},
		"in another field":                         {[]string{`Negotiate`, `Negotiate YWJj==, Digest qop="auth", nonce="x"`, insufficient + `, max_age=7`}, "max_age=7"},
		"a bearer challenge of another kind":       {[]string{`Bearer error="invalid_token"`}, "no"},
		"no challenge":                             {nil, "no"},
		"one of each kind":                         {[]string{`Bearer error="invalid_token", ` + insufficient + `, max_age=7`}, "max_age=7"},
		"two of this kind":                         {[]string{insufficient + `, max_age=7`, insufficient + `, max_age=8`}, "no"},
		"another scheme":                           {[]string{`DPoP error="insufficient_user_authentication", max_age=7`}, "no"},
		"a parameter of the authorization request": {[]string{insufficient + `, acr_values="x&prompt=none"`}, "no"},
		"an escaped one":                           {[]string{insufficient + `, acr_values="x%26prompt%3Dnone"`}, "no"},
		"a fragment":                               {[]string{insufficient + `, acr_values="x#y"`}, "no"},
		"an escaped quote":                         {[]string{insufficient + `, acr_values="x\"y"`}, "no"},
		"markup":                                   {[]string{insufficient + `, acr_values="<script>"`}, "no"},
		"a line break":                             {[]string{insufficient + ", acr_values=\"x\r\nSet-Cookie: a=b\""}, "no"},
		"two spaces":                               {[]string{insufficient + `, acr_values="a  b"`}, "no"},
		"a space at the end":                       {[]string{insufficient + `, acr_values="a "`}, "no"},
		"no name":                                  {[]string{insufficient + `, acr_values=""`}, "no"},
		"a name twice":                             {[]string{insufficient + `, acr_values="a a"`}, "no"},
		"letters that are none of ASCII":           {[]string{insufficient + `, acr_values="ä"`}, "no"},
		"a long name":                              {[]string{insufficient + `, acr_values="` + strings.Repeat("a", 256) + `"`}, "no"},
		"eleven names":                             {[]string{insufficient + `, acr_values="a b c d e f g h i j k"`}, "no"},
		"acr_values twice":                         {[]string{insufficient + `, acr_values="a", acr_values="b"`}, "no"},
		"a negative age":                           {[]string{insufficient + `, max_age=-1`}, "no"},
		"a signed age":                             {[]string{insufficient + `, max_age="+1"`}, "no"},
		"an age with a point":                      {[]string{insufficient + `, max_age=1.5`}, "no"},
		"an age with a zero before":                {[]string{insufficient + `, max_age=007`}, "no"},
		"no age":                                   {[]string{insufficient + `, max_age=""`}, "no"},
		"an age that is none":                      {[]string{insufficient + `, max_age=99999999999`}, "no"},
		"an age with more behind":                  {[]string{insufficient + `, max_age="5&prompt=none"`}, "no"},
		"no end of the quotes":                     {[]string{insufficient + `, acr_values="a`}, "no"},
		"something behind the quotes":              {[]string{insufficient + `, acr_values="a"b`}, "no"},
		"parameters without a scheme":              {[]string{`error="insufficient_user_authentication", max_age=5`}, "no"},
		"a scheme that is no token":                {[]string{`"Bearer" error="insufficient_user_authentication"`}, "no"},
		"a field of five thousand characters":      {[]string{insufficient + `, x="` + strings.Repeat("a", 5000) + `"`}, "no"},
		"another field that cannot be read":        {[]string{`"`, insufficient}, "no"},
	} {
		s, ok := ParseChallenge(c.values)
		got := "no"
		if ok {
			got = s.Query().Encode()
		}
		if got != c.want {
			t.Errorf("%s: %q: %q, want %q", name, c.values, got, c.want)
		}
	}
}

// OAX-18: whatever an upstream writes, the query of the sign-in has these two parameters at most, each once and of its form.
func FuzzParseChallenge(f *testing.F) {
	for _, v := range []string{
		insufficient + `, acr_values="urn:a b", max_age=5`, insufficient + `, acr_values="x&prompt=none"`, `Basic realm="a\"b", ` + insufficient, `Negotiate abc==, ` + insufficient + `, max_age=1`,
		"Bearer error=insufficient_user_authentication,,, ,max_age=0", `Bearer a=b=c`, `A`, `=`, `"`,
	} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		s, ok := ParseChallenge([]string{v})
		if !ok {
			if s.ACR != nil || s.MaxAge != nil {
				t.Fatalf("%q: refused, but %+v", v, s)
			}
			return
		}
		if !strings.Contains(v, "insufficient_user_authentication") || !strings.Contains(strings.ToLower(v), "bearer") {
			t.Fatalf("%q asks for nothing", v)
		}
		q, err := url.ParseQuery(s.Query().Encode())
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range q {
			if name != "acr_values" && name != "max_age" || len(values) != 1 || strings.ContainsAny(values[0], "&=#%;?\"'<>\\\r\n\t") || !strings.Contains(v, values[0]) && !strings.Contains(v, `\\`) && q.Encode() != "max_age=0" {
				t.Fatalf("%q: %q", v, q)
			}
		}
		if s.MaxAge != nil && (*s.MaxAge < 0 || *s.MaxAge%time.Second != 0) {
			t.Fatalf("%q: %v", v, *s.MaxAge)
		}
	})
}
