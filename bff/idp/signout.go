package idp

import (
	"net/http"

	"github.com/luikyv/go-oidc/pkg/goidc"
)

// signOutPolicy is what happens at the end_session endpoint. Without an ID token that shows that the request is about
// this very session the user is asked first (OpenID Connect RP-Initiated Logout 1.0, section 2).
func (p *Provider) signOutPolicy() goidc.LogoutPolicy {
	always := func(*http.Request, *goidc.LogoutSession) bool { return true }
	return goidc.NewLogoutPolicy("ask", always, func(w http.ResponseWriter, r *http.Request, ls *goidc.LogoutSession) (goidc.Status, error) {
		now, signedIn := p.sso.current(r)
		answered := r.Method == http.MethodPost && r.PathValue("callback") == ls.ID
		switch {
		case !signedIn:
			return goidc.StatusSuccess, nil // nothing to end: on to the application
		case answered && r.PostFormValue("stay") != "":
			return goidc.StatusSuccess, nil
		case answered, ls.IDTokenHintClaims["sid"] == now.SID:
			p.endSession(r)
			return goidc.StatusSuccess, nil
		}
		return goidc.StatusPending, p.render(w, http.StatusOK, "signout", page{
			Title: "Sign out of Demo Identity?", User: now.User, Action: "/logout/" + ls.ID, ClientName: p.clients[ls.ClientID].Name,
		}, ls.PostLogoutRedirectURI)
	})
}

// signedOut is the end of a sign-out that no application waits for.
func (p *Provider) signedOut(w http.ResponseWriter, _ *http.Request, _ *goidc.LogoutSession) error {
	return p.render(w, http.StatusOK, "message", page{Title: "You are signed out", Text: "No application on this computer can use your sign-in any more."}, "")
}

// home shows who is signed in here.
func (p *Provider) home(w http.ResponseWriter, r *http.Request) {
	now, signedIn := p.sso.current(r)
	v := page{Title: "Nobody is signed in", Text: "An application sends you here when you sign in to it."}
	if signedIn {
		v = page{Title: "You are signed in", User: now.User, Action: "/signout"}
		for _, id := range now.Clients {
			v.Clients = append(v.Clients, p.clients[id].Name)
		}
	}
	if err := p.render(w, http.StatusOK, "home", v, ""); err != nil {
		p.o.Log.Error("render home page", "error", err)
	}
}

// signOut ends the session from the home page.
func (p *Provider) signOut(w http.ResponseWriter, r *http.Request) {
	p.endSession(r)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// endSession ends the browser's session here, if it has one.
func (p *Provider) endSession(r *http.Request) {
	if l, ok := p.sso.end(r); ok {
		p.end(l)
	}
}

// end revokes what came of a session and tells its clients.
func (p *Provider) end(l login) {
	p.store.RevokeSession(l.SID)
	p.notify(l)
}
