package bff

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"cloakroom/bff/inbound"
	"cloakroom/configs/secret"
	"cloakroom/proxy/tokens"
)

// token says which access token the upstream gets, as site.bearer and site.nobody choose it.
func (q *question) token() bool {
	t := q.route.Token
	switch {
	case q.visitor.caller != nil && q.visitor.caller.Kind == inbound.KindBearer && q.book[q.route.Index()].pass:
		q.caller.Bearer = callersToken
		return q.pass("token", "the caller's own")
	case t.Method == tokens.Client:
		q.caller.Bearer = ownToken
		return q.pass("token", "%s, by client credentials", t.Method)
	case q.visitor.caller != nil:
		return q.pass("token", "none: the caller's credential stays here")
	case q.sess == nil:
		return q.pass("token", "none: nobody is signed in")
	case t.Method == tokens.Session:
		q.caller.Bearer = accessToken
		return q.pass("token", "the session's own access token")
	case t.Grant():
		q.caller.Bearer = "[a token for " + cmp.Or(t.Audience, t.Resource, strings.Join(t.Scopes, " ")) + "]"
		return q.pass("token", "one for %s, by %s", cmp.Or(t.Audience, t.Resource, strings.Join(t.Scopes, " ")), t.Method)
	}
	return q.pass("token", "%s", t.Method)
}

// stored is what becomes of claims in a session's record, where numbers are text.
func stored(claims map[string]any) (out map[string]any) {
	text, err := json.Marshal(claims)
	if err != nil {
		return claims // of no provider's token
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&out) != nil {
		return claims
	}
	return out
}

// masked is h without the secrets that the route's configuration puts into it.
func (q *question) masked(h http.Header) http.Header {
	var pairs []string
	all := secretsIn(reflect.ValueOf(q.route.Config))
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // of one that another begins with, nothing is left to see
	for _, s := range all {
		pairs = append(pairs, s, secretValue)
	}
	if len(pairs) == 0 {
		return h
	}
	hide := strings.NewReplacer(pairs...)
	out := make(http.Header, len(h))
	for name, values := range h {
		for _, v := range values {
			out.Add(name, hide.Replace(v))
		}
	}
	return out
}

// secretsIn are all secrets below v.
func secretsIn(v reflect.Value) (all []string) {
	if s, ok := reflect.TypeAssert[secret.String](v); ok {
		if s == "" {
			return nil
		}
		return []string{s.Reveal()}
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				all = append(all, secretsIn(v.Field(i))...)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			all = append(all, secretsIn(v.Index(i))...)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			all = append(all, secretsIn(v.MapIndex(k))...)
		}
	}
	return all
}
