package browse

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// maxHops ends a navigation that goes in circles.
const maxHops = 20

// Nav is a top-level navigation.
type Nav struct {
	// URL is where it goes: absolute, or a path of the app.
	URL string
	// From is the origin of the page that started it: its link was clicked. Empty: the user typed the address.
	From string
	// Form makes it a POST of this form.
	Form url.Values
	// Stop ends the navigation before it asks for a URL whose path this is; the Answer's Next is that URL.
	Stop string
	// Header lines, "Name: value", go with the first request.
	Header []string
}

// SignIn goes from the app's page through the provider, as sub, to returnTo.
func (b *Browser) SignIn(ctx context.Context, sub, returnTo string) (*Answer, error) {
	q := url.Values{"login_hint": {sub}, "return_to": {returnTo}}
	return b.Go(ctx, Nav{URL: "/bff/login?" + q.Encode(), From: b.Origin})
}

// Go navigates: it follows redirects and meta refreshes until a page stays.
func (b *Browser) Go(ctx context.Context, n Nav) (*Answer, error) {
	origin, err := url.Parse(b.Origin)
	if err != nil {
		return nil, fmt.Errorf("navigate: %w", err)
	}
	next, err := origin.Parse(n.URL)
	if err != nil {
		return nil, fmt.Errorf("navigate: %w", err)
	}
	chain := &chain{from: n.From}
	method, form, extra := http.MethodGet, n.Form, n.Header
	if form != nil {
		method = http.MethodPost
	}
	for range maxHops {
		if n.Stop != "" && next.Path == n.Stop {
			return &Answer{URL: next, Next: next}, nil
		}
		a, err := b.visit(ctx, method, next, form, chain, extra)
		if err != nil {
			return nil, err
		}
		method, form, extra = http.MethodGet, nil, nil // 302 and 303 go on with GET; 307 and 308 are a violation, see Witness
		switch to, refresh := goesOn(a); {
		case to == "":
			return a, nil
		case refresh:
			chain = newChain(a.URL)
			next, err = a.URL.Parse(to)
		default:
			next, err = a.URL.Parse(to)
		}
		if err != nil {
			return nil, fmt.Errorf("navigate on: %w", err)
		}
	}
	return nil, errors.New("navigate: went in circles")
}

func (b *Browser) visit(ctx context.Context, method string, u *url.URL, form url.Values, c *chain, header []string) (*Answer, error) {
	body := ""
	if form != nil {
		body = form.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("navigate: %w", err)
	}
	site := c.add(u)
	h := req.Header
	h.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	h.Set("Sec-Fetch-Site", site)
	h.Set("Sec-Fetch-Mode", "navigate")
	h.Set("Sec-Fetch-Dest", "document")
	h.Set("Sec-Fetch-User", "?1")
	h.Set("Upgrade-Insecure-Requests", "1")
	if form != nil {
		h.Set("Content-Type", "application/x-www-form-urlencoded")
		h.Set("Origin", c.from)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		h.Set(name, value)
	}
	return b.exchange(req, site == "cross-site", true)
}

// chain is a navigation's URLs so far and who started it.
type chain struct {
	from string
	urls []*url.URL
}

func newChain(page *url.URL) *chain { return &chain{from: page.Scheme + "://" + page.Host} }

// add appends a URL and returns the Sec-Fetch-Site of its request: the farthest of all URLs so far
// from the page that started the navigation (Fetch Metadata, section 2.4).
func (c *chain) add(u *url.URL) string {
	c.urls = append(c.urls, u)
	if c.from == "" {
		return "none"
	}
	from, _ := url.Parse(c.from)
	site := "same-origin"
	for _, u := range c.urls {
		switch {
		case u.Hostname() != from.Hostname():
			return "cross-site"
		case u.Host != from.Host:
			site = "same-site"
		}
	}
	return site
}

// refresh finds a page's <meta http-equiv="refresh">.
var refresh = regexp.MustCompile(`(?i)<meta\s+http-equiv="?refresh"?\s+content="[0-9]+;\s*url=([^"]*)"`)

// goesOn returns where an answer leads, and whether by its page rather than by a redirect.
func goesOn(a *Answer) (to string, page bool) {
	if a.Status >= 300 && a.Status < 400 && a.Header.Get("Location") != "" {
		return a.Header.Get("Location"), false
	}
	if m := refresh.FindStringSubmatch(a.Body); m != nil && strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
		return strings.Trim(html.UnescapeString(m[1]), "'"), true
	}
	return "", false
}
