package idp

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/luikyv/go-oidc/pkg/goidc"
)

//go:embed pages
var pageFiles embed.FS

//go:embed pages/style.css
var pageStyle string

// templates are parsed once; executing them is safe for concurrent use.
var templates = template.Must(template.New("").Funcs(template.FuncMap{"initials": initials}).ParseFS(pageFiles, "pages/*.html"))

// page is what a template may show.
type page struct {
	Title, Text, Problem string
	Action               string // where the page's forms post to
	ClientName           string
	User                 User   // who is signed in
	Users                []User // to pick from; the hinted one first
	Hinted               bool   // the first of Users is the one that login_hint means
	TypedName            string
	Roles                []string
	Clients              []string
	Style                template.CSS
}

// showPicker shows the page to pick a user.
func (p *Provider) showPicker(w http.ResponseWriter, as *goidc.AuthnSession, c *goidc.Client, now login, problem string) error {
	v := page{
		Title: "Choose an account", Action: "/authorize/" + as.ID, ClientName: c.Name,
		Roles: p.roles(), Problem: problem, User: now.User, TypedName: as.LoginHint,
	}
	for _, u := range p.o.Users {
		if as.LoginHint != "" && matches(u, as.LoginHint) {
			v.Hinted, v.TypedName = true, ""
			v.Users = append([]User{u}, v.Users...)
			continue
		}
		v.Users = append(v.Users, u)
	}
	status := http.StatusOK
	if problem != "" {
		status = http.StatusUnprocessableEntity
	}
	return p.render(w, status, "picker", v, as.RedirectURI)
}

// render writes a page. next is the URL that its form may redirect to: Chromium holds redirects after a form to the
// policy's form-action too.
func (p *Provider) render(w http.ResponseWriter, status int, name string, v page, next string) error {
	v.Style = template.CSS(pageStyle) // our own file, no foreign text
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name+".html", v); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	sum := sha256.Sum256([]byte(pageStyle))
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+
		"'; form-action 'self'"+origin(next)+"; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a client that went away is not an error
	return nil
}

// origin is a registered URL's origin with a space before it, for a policy; empty for none.
func origin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return ""
	}
	return " " + u.Scheme + "://" + u.Host
}

// initials are the first letters of a name's first and last word.
func initials(name string) string {
	words := strings.Fields(name)
	if len(words) == 0 {
		return "?"
	}
	first, _ := utf8.DecodeRuneInString(words[0])
	if len(words) == 1 {
		return strings.ToUpper(string(first))
	}
	last, _ := utf8.DecodeRuneInString(words[len(words)-1])
	return strings.ToUpper(string([]rune{first, last}))
}
