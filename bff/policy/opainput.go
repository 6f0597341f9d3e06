package policy

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"time"
)

// Rule of this file: what an agent is told. It writes all of it into its log, so there is no token, no cookie, no session ID, and of the headers only those
// that the configuration names.

// input is the question, as in {"input": …}. docs/rules.md documents it.
type input struct {
	Request  inputRequest   `json:"request"`
	User     *inputUser     `json:"user,omitempty"` // nobody has none
	Session  *inputSession  `json:"session,omitempty"`
	Resource map[string]any `json:"resource,omitempty"`
	Now      string         `json:"now,omitempty"`
}

type inputRequest struct {
	ID       string              `json:"id,omitempty"`
	Method   string              `json:"method"`
	Path     string              `json:"path"`
	Route    string              `json:"route"`
	Values   map[string]string   `json:"values"`
	Query    map[string][]string `json:"query"`
	Headers  map[string][]string `json:"headers"`
	ClientIP string              `json:"client_ip,omitempty"`
}

type inputUser struct {
	Subject  string         `json:"sub"`
	Issuer   string         `json:"issuer,omitempty"`
	Provider string         `json:"provider,omitempty"`
	Kind     string         `json:"kind"`
	Roles    []string       `json:"roles"`
	Scopes   []string       `json:"scopes"`
	Claims   map[string]any `json:"claims"`
}

type inputSession struct {
	ACR      string `json:"acr,omitempty"`
	AuthTime string `json:"auth_time,omitempty"`
	Created  string `json:"created,omitempty"`
}

// input is what the agent is asked about a request.
func (g *agent) input(a *activation, resource map[string]any) input {
	r := a.r.HTTP
	in := input{Request: inputRequest{
		ID: a.r.ID, Method: r.Method, Path: r.URL.Path, Route: a.r.Route,
		Values: pathValues(a.r), Query: inputQuery(r.URL.RawQuery), Headers: map[string][]string{},
	}, Resource: resource, Now: stamp(a.r.Now)}
	if r.Method == http.MethodHead {
		in.Request.Method = http.MethodGet // AUZ-02
	}
	if a.r.Client.IsValid() {
		in.Request.ClientIP = a.r.Client.Unmap().WithZone("").String()
	}
	for _, name := range g.headers {
		if _, hidden := a.set.hidden[name]; hidden {
			continue
		}
		for other, values := range r.Header { // X_Tenant too, which some servers take for X-Tenant: the policy sees that there are two
			if other == name || sameHeader(other, name) {
				in.Request.Headers[strings.ToLower(name)] = append(in.Request.Headers[strings.ToLower(name)], values...)
			}
		}
	}
	if u := a.u; u != nil {
		in.User = &inputUser{
			Subject: u.id.Subject, Issuer: u.id.Issuer, Provider: u.id.Provider, Kind: u.id.Kind,
			Roles: notNil(u.roles), Scopes: notNil(u.scopes), Claims: u.id.Claims,
		}
		if in.User.Claims == nil {
			in.User.Claims = map[string]any{}
		}
		if u.id.Kind == KindSession {
			in.Session = &inputSession{ACR: u.id.ACR, AuthTime: stamp(u.id.AuthTime), Created: stamp(u.id.Created)}
		}
	}
	return in
}

// unclear says why the agent would judge another request than the upstream gets.
func (g *agent) unclear(r *http.Request) error {
	for _, name := range g.headers {
		if namedByConnection(r.Header, name) {
			return &unclearError{name, "is named by Connection, and the upstream does not get it"}
		}
	}
	return parseParameters(r.URL.RawQuery).err
}

// stamp is a time as rego's time.parse_rfc3339_ns reads it, in whole seconds.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func notNil(names []string) []string { return append([]string{}, names...) }

// credentialParams are parameters in which some clients send what nobody's log should have (RFC 6750, section 2.3).
var credentialParams = []string{"access_token", "refresh_token", "id_token", "client_secret", "password", "code", "api_key", "apikey"}

// inputQuery has every value of every parameter, under the name that was sent: which of two counts is the policy's to say.
func inputQuery(raw string) map[string][]string {
	out := map[string][]string{}
	for _, p := range parseParameters(raw).list {
		if !slices.Contains(credentialParams, p.folded) {
			out[p.name] = append(out[p.name], p.value)
		}
	}
	return out
}

// pathValues are the values of all names in the route's pattern.
func pathValues(r *Request) map[string]string {
	out := map[string]string{}
	if r.Value == nil {
		return out
	}
	for part := range strings.SplitSeq(r.Route, "{") {
		name, _, ok := strings.Cut(part, "}")
		if name = strings.TrimSuffix(name, "..."); !ok || name == "" || name == "$" {
			continue
		}
		if v, ok := r.Value(r.HTTP.URL.Path, name); ok {
			out[name] = v
		}
	}
	return out
}

// key names the question without what differs each time: the request's ID and the time.
func (g *agent) key(in input) (key [sha256.Size]byte, ok bool) {
	in.Request.ID, in.Now = "", ""
	text, err := json.Marshal(in)
	if err != nil {
		return key, false
	}
	h := sha256.New()
	h.Write([]byte(g.url))
	h.Write([]byte{0})
	h.Write([]byte(g.token.Reveal()))
	h.Write([]byte{0})
	h.Write(text)
	return [sha256.Size]byte(h.Sum(nil)), true
}

// agent is one OPAConfig, settled.
type agent struct {
	OPAConfig
	url     string
	token   interface{ Reveal() string }
	headers []string // canonical
}

func newAgent(c OPAConfig) *agent {
	g := &agent{OPAConfig: c, url: c.URL, token: c.Token}
	for _, name := range c.Headers {
		g.headers = append(g.headers, textproto.CanonicalMIMEHeaderKey(name))
	}
	return g
}
