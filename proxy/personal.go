package proxy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Headers of a route's own, the rule: a name that the route sets never passes from the client, whether there is a value or not (PRX-40). What the route sets is said after
// everything that the client's request says has been dealt with, so that a client's Connection header cannot name it. What is a credential does not come back: a
// header of the answer that has it is taken out (law 1).

// headers is what a route's requests have beside the client's, ready to be used. nil: nothing.
type headers struct {
	dropped   *rule // of the client's
	set       []setHeader
	secrets   []fixedHeader
	assertion string // the header's name; empty: none
}

type setHeader struct {
	name     string
	text     template
	required bool
}

type fixedHeader struct {
	name  string
	value []string
}

// newHeaders compiles a valid configuration.
func newHeaders(c HeadersConfig, credentials []string) *headers {
	if len(credentials) == 0 && len(c.Set) == 0 && len(c.Secrets) == 0 && len(c.Remove) == 0 && c.Assertion.Audience == "" {
		return nil
	}
	h := &headers{}
	drop := slices.Concat(c.Remove, credentials)
	required := map[string]bool{}
	for _, n := range c.Required {
		required[http.CanonicalHeaderKey(n)] = true
	}
	for _, n := range sortedKeys(c.Set) {
		t, _ := readTemplate(c.Set[n])
		n := http.CanonicalHeaderKey(n)
		h.set = append(h.set, setHeader{name: n, text: t, required: required[n]})
		drop = append(drop, n)
	}
	for _, n := range sortedKeys(c.Secrets) {
		h.secrets = append(h.secrets, fixedHeader{http.CanonicalHeaderKey(n), []string{c.Secrets[n].Reveal()}})
		drop = append(drop, n)
	}
	if c.Assertion.Audience != "" {
		h.assertion = http.CanonicalHeaderKey(c.Assertion.header())
		drop = append(drop, h.assertion)
	}
	h.dropped = newRule(drop...)
	return h
}

// drops reports whether one of the client's headers stays here.
func (h *headers) drops(name string) bool {
	return h != nil && h.dropped.refuses(name) && !kept.refuses(name) // Sec-* does not mean what a socket needs
}

// foreign reports whether a header is none that a client can say anything by on this route.
func (rt *Route) foreign(name string) bool {
	return requestRule.refuses(name) || rt.headers.drops(name)
}

// demand refuses a request for which a required header has no value.
func (x *exchange) demand() error {
	h := x.route.headers
	if h == nil {
		return nil
	}
	for i := range h.set {
		if s := &h.set[i]; s.required {
			if _, state := s.text.fill(&x.caller.User); state != headerSent {
				x.observeHeader(state)
				return fmt.Errorf("%w: %s is %s", ErrIncomplete, s.name, state)
			}
		}
	}
	return nil
}

// addPersonal adds what the route sets.
func (x *exchange) addPersonal(out http.Header) {
	h := x.route.headers
	if h == nil {
		return
	}
	for i := range h.set {
		s := &h.set[i]
		value, state := s.text.fill(&x.caller.User)
		if state != headerSent {
			if !x.caller.User.nobody() || !s.text.personal() { // of nobody nothing is missing
				x.observeHeader(state)
			}
			continue
		}
		out[s.name] = []string{value}
	}
	for _, s := range h.secrets {
		out[s.name] = s.value
	}
	if h.assertion != "" && x.caller.Assertion != "" {
		out[h.assertion] = []string{x.caller.Assertion}
	}
}

// observeHeader counts a header that is not sent.
func (x *exchange) observeHeader(state string) {
	if count := x.route.deps.ObserveHeader; count != nil {
		count(x.route, state)
	}
}

// nobody reports whether no user is signed in.
func (u *User) nobody() bool { return u.Subject == "" }

// dropCredentials takes out headers in which an upstream hands back what it was given to prove who asks (law 1).
func (x *exchange) dropCredentials(answer http.Header) {
	if b := x.caller.Bearer; b != "" {
		dropEchoes(answer, b)
	}
	if x.caller.Assertion != "" {
		dropEchoes(answer, x.caller.Assertion)
	}
	if h := x.route.headers; h != nil {
		for _, s := range h.secrets {
			dropEchoes(answer, s.value[0])
		}
	}
}

// Header is what a route says to its upstream, for explanations.
type Header struct {
	// Name is the header's.
	Name string
	// Value is what is sent; of a credential only what it is.
	Value string
	// State is empty for one that is sent; else why it is not: missing or unsendable.
	State string
	// Required tells that the request is refused for its State.
	Required bool
}

// HeadersFor are the headers that the route itself says about u to its upstream, and those that it would, in the order of their kinds and names. Nothing in them is
// a credential.
func (rt *Route) HeadersFor(u User) (all []Header) {
	h := rt.headers
	if h == nil {
		return nil
	}
	for i := range h.set {
		s := &h.set[i]
		value, state := s.text.fill(&u)
		all = append(all, Header{Name: s.name, Value: value, State: state, Required: s.required})
	}
	for _, s := range h.secrets {
		all = append(all, Header{Name: s.name, Value: "[secret]"})
	}
	if h.assertion != "" {
		a := Header{Name: h.assertion, Value: "[" + strings.Join(append([]string{"signed assertion for " + rt.Config.Headers.Assertion.Audience}, rt.Config.Headers.Assertion.Claims...), ", ") + "]"}
		if u.nobody() {
			a.Value, a.State = "", headerMissing
		}
		all = append(all, a)
	}
	return all
}

// RemovesHeader reports whether the route, or the house, keeps one of the client's headers from its upstream.
func (rt *Route) RemovesHeader(name string) bool { return rt.foreign(http.CanonicalHeaderKey(name)) }
