package bff

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"cloakroom/bff/edge"
	"cloakroom/bff/policy"
	"cloakroom/web"
)

const loginPath = "/bff/login"

// signInURL is where a sign-in starts that ends on target, and brings what is needed. What is empty is left out.
func signInURL(target, providerName string, needs *policy.StepUp) string {
	q := url.Values{}
	if needs != nil {
		q = needs.Query()
	}
	if target != "" {
		q.Set("return_to", target)
	}
	if providerName != "" {
		q.Set("provider", providerName)
	}
	if len(q) == 0 {
		return loginPath
	}
	return loginPath + "?" + q.Encode()
}

// bounceTo bounces to a return path, which is judged again: it comes from a sealed cookie, but what goes out is what counts (RED-02, RED-03).
func (s *site) bounceTo(w http.ResponseWriter, r *http.Request, target string) error {
	path, reason := returnTo(target)
	if reason != "" {
		path = "/"
	}
	return s.bounce(w, r, path)
}

// bounce answers with a tiny page of our own origin that moves on to target by itself. Unlike after a redirect, the
// next request is same-origin: it brings the Strict cookie and Sec-Fetch-Site: same-origin.
func (s *site) bounce(w http.ResponseWriter, _ *http.Request, target string) error {
	return page(w, http.StatusOK, "", web.Bounce(target))
}

// cookieHelp answers a browser that refuses the session cookie.
func (s *site) cookieHelp(w http.ResponseWriter, r *http.Request) error {
	return page(w, http.StatusOK, "", web.CookieHelp("/", edge.From(r.Context()).ID))
}

// page writes one of our pages.
func page(w http.ResponseWriter, status int, formAction string, d web.PageData) error {
	var b bytes.Buffer
	if err := web.RenderPage(&b, d); err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	h := w.Header()
	noStore(w)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", web.PageCSP(formAction))
	h.Set("Referrer-Policy", "no-referrer") // the callback's URL holds the code
	if d.Form {
		h.Set("Referrer-Policy", "same-origin") // or the form's POST would carry Origin: null
	}
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, err := b.WriteTo(w)
	if err != nil {
		return nil // the client is gone, which is not an error of ours
	}
	return nil
}

// noStore keeps an answer out of every cache.
func noStore(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-store") }
