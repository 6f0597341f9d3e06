package idp

import (
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/luikyv/go-oidc/pkg/goidc"
)

// maxName bounds a typed-in name, in bytes.
const maxName = 100

// signInPolicy is what happens between an authorization request and its answer.
func (p *Provider) signInPolicy() goidc.AuthnPolicy {
	always := func(*http.Request, *goidc.AuthnSession, *goidc.Client) bool { return true }
	return goidc.NewPolicy("pick", always, p.signIn)
}

// signIn answers an authorization request at once if the browser's session here is enough for it, or else shows the
// page to pick a user, and is called again with what was picked.
func (p *Provider) signIn(w http.ResponseWriter, r *http.Request, as *goidc.AuthnSession, c *goidc.Client) (goidc.Status, error) {
	now, signedIn := p.sso.current(r)
	if r.Method == http.MethodPost && r.PathValue("callback") == as.ID { // the page's own form
		return p.picked(w, r, as, c)
	}
	if signedIn && !mustAsk(as.AuthorizationParameters, now, time.Now()) {
		return p.finish(as, now)
	}
	if slices.Contains(strings.Fields(string(as.Prompt)), "none") {
		return goidc.StatusFailure, goidc.NewError(goidc.ErrorCodeLoginRequired, "a user must sign in")
	}
	return goidc.StatusPending, p.showPicker(w, as, c, now, "")
}

// mustAsk reports whether a signed-in user must still be asked: because the request says so (OpenID Connect Core 1.0,
// section 3.1.2.1: prompt, max_age), or because it hints at somebody else.
func mustAsk(a goidc.AuthorizationParameters, l login, now time.Time) bool {
	prompt := strings.Fields(string(a.Prompt))
	if slices.Contains(prompt, "login") || slices.Contains(prompt, "select_account") {
		return true
	}
	if a.MaxAuthnAgeSecs != nil && now.Sub(l.AuthTime) >= time.Duration(*a.MaxAuthnAgeSecs)*time.Second {
		return true
	}
	return a.LoginHint != "" && !matches(l.User, a.LoginHint)
}

// picked signs in the user that the form names.
func (p *Provider) picked(w http.ResponseWriter, r *http.Request, as *goidc.AuthnSession, c *goidc.Client) (goidc.Status, error) {
	if r.PostFormValue("cancel") != "" {
		return goidc.StatusFailure, goidc.NewError(goidc.ErrorCodeAccessDenied, "the user cancelled")
	}
	u, problem := p.userFrom(r.PostFormValue("user"), r.PostFormValue("name"), r.PostFormValue("role"))
	if problem != "" {
		return goidc.StatusPending, p.showPicker(w, as, c, login{}, problem)
	}
	now, ended := p.sso.start(w, r, u)
	if ended != nil {
		p.end(*ended)
	}
	return p.finish(as, now)
}

// finish makes the sign-in's grant.
func (p *Provider) finish(as *goidc.AuthnSession, l login) (goidc.Status, error) {
	p.sso.joined(l.SID, as.ClientID)
	as.Subject = l.User.Subject
	as.GrantedScopes = as.Scopes
	as.Store = map[string]any{storeUser: l.User, storeSID: l.SID, storeAuthTime: l.AuthTime.Unix()}
	return goidc.StatusSuccess, nil
}

// userFrom finds the ready-made user with that subject, or makes one from a typed-in name and role. A
// problem says what the page should tell.
func (p *Provider) userFrom(subject, name, role string) (u User, problem string) {
	for _, u := range p.o.Users {
		if subject != "" && u.Subject == subject {
			return u, ""
		}
	}
	name = strings.Join(strings.Fields(name), " ")
	sub := slug(name)
	switch {
	case sub == "" || len(name) > maxName || strings.ContainsFunc(name, unicode.IsControl):
		return User{}, "Type a name with at least one letter or digit."
	case slices.ContainsFunc(p.o.Users, func(u User) bool { return u.Subject == sub }):
		return User{}, "Somebody above has that name already: pick them, or type another."
	case !slices.Contains(p.roles(), role):
		role = p.roles()[0]
	}
	return User{Subject: sub, Name: name, Email: sub + "@example.test", Roles: []string{role}}, ""
}

// roles are what a typed-in user may have: those of the ready-made users, the harmless default first.
func (p *Provider) roles() []string {
	roles := []string{"customer"}
	for _, u := range p.o.Users {
		for _, r := range u.Roles {
			if !slices.Contains(roles, r) {
				roles = append(roles, r)
			}
		}
	}
	return roles
}

// slug turns a name into a subject: lower-case ASCII letters and digits, with single dashes between.
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String(), "-")
}

// matches reports whether a login_hint means u.
func matches(u User, hint string) bool {
	return strings.EqualFold(hint, u.Subject) || strings.EqualFold(hint, u.Email) || strings.EqualFold(hint, u.Name)
}
