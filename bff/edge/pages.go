package edge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Page is an error as a person reads it.
type Page struct {
	Status      int
	Title       string
	Text        string
	RequestID   string
	Action      string // where the link leads: a path on this origin; empty: no link
	ActionLabel string
	Aside       Link // a quieter one beside it
}

// pages is what WithPages handed over.
type pages struct {
	csp    []string
	render func(io.Writer, Page) error
}

// WithPages hands over what makes a page of an error, for navigations: render writes the page, escaped, and csp is the
// Content-Security-Policy that it needs. Without it everybody gets problem documents. It needs [RequestID] in front.
func WithPages(csp string, render func(w io.Writer, p Page) error) Middleware {
	handed := &pages{csp: one(csp), render: render}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			From(r.Context()).pages = handed
			next.ServeHTTP(w, r)
		})
	}
}

// answer sends p as a page. After an error nothing was sent.
func (ps *pages) answer(w http.ResponseWriter, p Problem, id string) error {
	page := Page{Status: p.Status, Title: entryOf(p.Code, p.Status).Title, Text: p.Detail, RequestID: id, Action: p.Login, Aside: p.Aside}
	if p.Action.URL != "" {
		page.Action, page.ActionLabel = p.Action.URL, p.Action.Label
	} else if p.Login != "" {
		page.ActionLabel = "Try again"
		if p.Status == http.StatusUnauthorized {
			page.ActionLabel = "Sign in"
		}
	} else if p.Continue != "" {
		page.Action, page.ActionLabel = p.Continue, "Continue"
	}
	return ps.send(w, page)
}

// send writes the page to its end before anything of it is sent.
func (ps *pages) send(w http.ResponseWriter, page Page) error {
	var body bytes.Buffer
	if err := ps.render(&body, page); err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	h := w.Header()
	h["Content-Security-Policy"] = ps.csp
	send(w, page.Status, "text/html; charset=utf-8", &body)
	return nil
}

// Explain answers GET /bff/problems/{code}, where a problem's type leads: what the code means, as a page or as JSON. The code is the
// last part of the path.
func Explain() http.Handler {
	return Handler(func(w http.ResponseWriter, r *http.Request) error {
		e, ok := Lookup(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
		if !ok {
			return &Problem{Code: "not_found"}
		}
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Add("Vary", "Accept, Sec-Fetch-Mode")
		if rec := From(r.Context()); wantsPage(r) && rec.pages != nil {
			return rec.pages.send(w, Page{Status: http.StatusOK, Title: e.Title, Text: e.Explanation, RequestID: rec.ID})
		}
		body, err := json.Marshal(struct {
			Code        string `json:"code"`
			Status      int    `json:"status"`
			Title       string `json:"title"`
			Explanation string `json:"explanation"`
		}{e.Code, e.Status, e.Title, e.Explanation})
		if err != nil {
			return err
		}
		send(w, http.StatusOK, "application/json", bytes.NewBuffer(append(body, '\n')))
		return nil
	})
}
