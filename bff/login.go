package bff

import (
	"net/http"
	"net/url"

	"cloakroom/bff/edge"
	"cloakroom/bff/provider"
)

// login answers GET /bff/login: it starts a sign-in and sends the browser to the provider.
//
// Only a top-level navigation may start one: a script or a frame would leave cookies behind and go nowhere. A navigation that another site
// started is bounced once, so that the Strict session cookie arrives and the sign-in knows which session it replaces.
func (s *site) login(w http.ResponseWriter, r *http.Request) error {
	if !edge.Navigation(r) {
		return &edge.Problem{Code: "not_a_navigation", Login: loginPath}
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return badLogin("The query is not valid.", err)
	}
	for name, values := range q {
		if len(values) > 1 {
			return badLogin("A parameter was given more than once.", errDuplicate(name))
		}
	}
	target, reason := returnTo(q.Get("return_to"))
	if reason != "" {
		return &edge.Problem{Code: "bad_return_to", Detail: "return_to must be a path on this origin: " + reason + ".", Login: loginPath}
	}
	if !s.ours(r) && !s.isPage(target) {
		// Another site may have chosen return_to. It may lead to the app's pages, but a sign-in must not become the way to make
		// a signed-in request to an API from afar.
		return &edge.Problem{Code: "bad_return_to", Detail: "From another site return_to may only lead to a page of the app.", Login: loginPath}
	}
	if site := edge.CrossingOf(r).Site; site == "cross-site" || site == "same-site" {
		return s.bounce(w, r, r.URL.RequestURI())
	}
	p, err := s.provider(q.Get("provider"))
	if err != nil {
		return err
	}
	signIn := provider.NewSignIn()
	if err := provider.ParseSignIn(q, &signIn); err != nil {
		return badLogin(err.Error(), err)
	}
	return s.startSignIn(w, r, p, signIn, target)
}

// startSignIn remembers the sign-in in its cookie and redirects to the provider. The request must be a top-level navigation.
func (s *site) startSignIn(w http.ResponseWriter, r *http.Request, p *provider.Provider, signIn provider.SignIn, target string) error {
	signIn.Resources = s.resources
	location, err := p.AuthURL(signIn)
	if err != nil {
		return s.providerProblem(err)
	}
	l := login{SignIn: signIn, Provider: p.Name(), Issuer: p.Issuer(), ReturnTo: target, Asked: marks(s.resources)}
	held := s.sessions.CookieIDs(r)
	if len(held) > 0 {
		l.Replaces = held[0]
	}
	if l.circles(s.logins.finished(r)) {
		return s.stopCircling(r, target)
	}
	l.Who = s.whoIs(r)
	cookie, err := s.logins.sealed(l, loginLife)
	if err != nil {
		return badLogin("The parameters are too long together.", err)
	}
	if s.logins.makeRoom(w, r, cookie) && len(held) == 0 {
		// A sign-in succeeded a moment ago and its session cookie is not here: this browser refuses it, and
		// another round would end the same way.
		return s.cookieHelp(w, r)
	}
	http.SetCookie(w, cookie)
	noStore(w)
	w.Header().Set("Location", location) // not http.Redirect, which rewrites what it is given and adds a body
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// provider returns the named provider, or the default one.
func (s *site) provider(name string) (*provider.Provider, error) {
	if name == "" {
		name = s.defaultProvider
	}
	p, ok := s.providers[name]
	if !ok {
		return nil, badLogin("There is no such provider.", nil)
	}
	return p.Provider, nil
}

// ours reports whether a navigation is proven to be the user's own or our pages'. Browsers without fetch metadata prove nothing.
func (s *site) ours(r *http.Request) bool {
	ok, _ := edge.SameOrigin(edge.CrossingOf(r), s.origin, edge.CrossSiteRule{})
	return ok
}

// isPage reports whether a navigation to target shows a page of the app, rather than what a route's upstream answers. Routes of pages say so.
func (s *site) isPage(target string) bool {
	u, err := url.Parse(target)
	if err != nil {
		return false
	}
	route, allow := s.table.Match(&http.Request{Method: http.MethodGet, URL: u})
	if route == nil {
		return allow == nil // nothing of a route there: the app's own files
	}
	return route.Config.CrossSiteNavigation || route.Config.Auth == "none"
}

// isFile reports whether a navigation to target shows one of the app's own files.
func (s *site) isFile(target string) bool {
	u, err := url.Parse(target)
	if err != nil {
		return false
	}
	route, allow := s.table.Match(&http.Request{Method: http.MethodGet, URL: u})
	return route == nil && allow == nil && s.files != nil
}

func badLogin(detail string, err error) error {
	return &edge.Problem{Code: "bad_login_request", Detail: detail, Login: loginPath, Err: err}
}
