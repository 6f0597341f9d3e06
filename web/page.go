package web

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"strings"
)

// PageData is the content of one page. Every field is plain text or a URL; RenderPage escapes them all.
type PageData struct {
	// Lang is the language of Title and Text, as a BCP 47 tag. Empty: English.
	Lang string
	// Title is the page's heading and the tab's name.
	Title string
	// Text says in a sentence or two what happened and what to do. A blank line starts a new paragraph.
	Text string
	// RequestID is shown as a reference to quote. Empty: none is shown.
	RequestID string
	// ActionURL and ActionLabel are the one thing to do next: a link, or with Form a button.
	// An empty URL shows none.
	ActionURL, ActionLabel string
	// Form makes the action a form with one button that sends a POST.
	Form bool
	// Hidden are the form's hidden fields.
	Hidden map[string]string
	// CancelURL and CancelLabel are a quieter link beside the action. An empty URL shows none.
	CancelURL, CancelLabel string
	// RefreshURL makes this a bounce: the browser moves on to it at once, and the rest of the
	// page stays invisible for a second, so that nobody sees it flash by.
	RefreshURL string
}

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// pageTemplate is parsed once; executing a template is safe for concurrent use.
var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// view is what the template sees: the data, and what was worked out from it.
type view struct {
	PageData
	Style      template.CSS
	Paragraphs []string
	Refresh    string // the content of <meta http-equiv="refresh">
}

// RenderPage writes p as a whole HTML document. It refuses, and writes nothing, if a URL of p is neither http, https nor
// relative, because such a URL in a link or a refresh would run as a script.
func RenderPage(w io.Writer, p PageData) error {
	for _, u := range []string{p.ActionURL, p.CancelURL, p.RefreshURL} {
		if !webURL(u) {
			return fmt.Errorf("page %q: a URL must be http, https or relative", p.Title)
		}
	}
	if p.Lang == "" {
		p.Lang = "en"
	}
	v := view{PageData: p, Style: template.CSS(pageCSS), Paragraphs: paragraphs(p.Text)} // our own file, no foreign text
	if p.RefreshURL != "" {
		v.Refresh = "0;url=" + p.RefreshURL
	}
	var page bytes.Buffer // a page that fails half-way must not have begun
	if err := pageTemplate.Execute(&page, v); err != nil {
		return fmt.Errorf("page %q: %w", p.Title, err)
	}
	_, err := w.Write(page.Bytes())
	return err
}

// PageCSP is the Content-Security-Policy of every page: nothing is loaded, nothing runs, nothing
// frames it; the one inline style is known by its hash. formAction is the source that forms may post to, such as
// 'self' (with its quotes); empty means none. Chromium holds a form's redirects to it too.
func PageCSP(formAction string) string {
	if formAction == "" {
		formAction = "'none'"
	}
	sum := sha256.Sum256([]byte(pageCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; form-action " + formAction + "; base-uri 'none'; frame-ancestors 'none'"
}

// webURL reports whether u may stand in a link, a form or a refresh.
func webURL(u string) bool {
	parsed, err := url.Parse(u)
	if err != nil || strings.ContainsAny(u, "\t\r\n") { // browsers drop these three, so a parser must not see more than they do
		return false
	}
	// An empty scheme is a relative URL, or no URL at all: it stays with http or https.
	return parsed.Scheme == "" || parsed.Scheme == "http" || parsed.Scheme == "https"
}

// paragraphs splits a text at its blank lines.
func paragraphs(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n\n")
}
