package browse

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// SessionCookie is the name of the ticket's cookie.
const SessionCookie = "__Host-Http-session"

// maxBody bounds what is read of an answer.
const maxBody = 16 << 20

// Browser is one browser, or one that shares its cookies (Via). It is safe for concurrent use.
type Browser struct {
	// Origin is the app's, http://localhost:port.
	Origin string

	jar     *jar
	witness *Witness
	client  http.RoundTripper
}

// New returns a browser without cookies.
func New(origin string, w *Witness) *Browser {
	return (&Browser{Origin: origin, jar: newJar(), witness: w}).Via("")
}

// Via returns the same browser, the same cookies, whose connections for the app go to one address: one replica.
func (b *Browser) Via(address string) *Browser {
	public := strings.TrimPrefix(b.Origin, "http://")
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	transport := &http.Transport{
		DisableCompression:    true,
		MaxIdleConnsPerHost:   256,
		ResponseHeaderTimeout: 60 * time.Second,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if address != "" && addr == public {
				addr = address
			}
			return dialer.DialContext(ctx, network, strings.Replace(addr, "localhost:", "127.0.0.1:", 1))
		},
	}
	return &Browser{Origin: b.Origin, jar: b.jar, witness: b.witness, client: transport}
}

// Close drops the idle connections.
func (b *Browser) Close() { b.client.(*http.Transport).CloseIdleConnections() }

// Ticket returns the session cookie's value, or an empty string.
func (b *Browser) Ticket() string {
	for _, c := range b.Cookies() {
		if c.Name == SessionCookie {
			return c.Value
		}
	}
	return ""
}

// Cookies returns what the browser keeps for the app.
func (b *Browser) Cookies() []*http.Cookie { return b.jar.list("localhost") }

// SetTicket puts a ticket into the jar, as a thief would.
func (b *Browser) SetTicket(ticket string) {
	u, _ := url.Parse(b.Origin)
	b.jar.set(u, []*http.Cookie{{Name: SessionCookie, Value: ticket, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}})
}

// Answer is one answer, read completely.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	// URL is what was asked.
	URL *url.URL
	// Next is where a navigation stopped before it went on, see Nav.
	Next *url.URL
}

// Fetch asks as a script of the app's own page does: same origin, with cookies, redirects not followed. Header lines
// are given as "Name: value" and replace what a browser would send; an empty value takes the header away.
func (b *Browser) Fetch(ctx context.Context, method, path string, body string, header ...string) (*Answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, b.Origin+path, strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	h := req.Header
	h.Set("Accept", "*/*")
	h.Set("Sec-Fetch-Site", "same-origin")
	h.Set("Sec-Fetch-Mode", "cors")
	h.Set("Sec-Fetch-Dest", "empty")
	if method != http.MethodGet && method != http.MethodHead {
		h.Set("Origin", b.Origin)
	}
	if body != "" {
		h.Set("Content-Type", "application/json")
	}
	cross := false
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		h.Del(name)
		if value != "" {
			h.Set(name, value)
		}
		cross = cross || line == "Sec-Fetch-Site: cross-site"
	}
	return b.exchange(req, cross, false)
}

// exchange sends one request with the cookies that belong to it, and keeps what the answer sets.
func (b *Browser) exchange(req *http.Request, crossSite, topLevel bool) (*Answer, error) {
	res, err := b.Send(req, crossSite, topLevel)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("%s %s: read answer: %w", req.Method, req.URL.Path, err)
	}
	a := &Answer{Status: res.StatusCode, Header: res.Header, Body: string(body), URL: req.URL}
	if b.witness != nil && b.own(req.URL) {
		b.witness.See(req.Method, a)
	}
	return a, nil
}

// Send is exchange for answers that are read as they come. The witness has seen nothing of them.
func (b *Browser) Send(req *http.Request, crossSite, topLevel bool) (*http.Response, error) {
	if cookies := b.jar.header(req.URL, crossSite, topLevel && req.Method == http.MethodGet); cookies != "" {
		req.Header.Set("Cookie", cookies)
	}
	req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36")
	res, err := b.client.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", req.Method, req.URL.Path, err)
	}
	b.jar.set(req.URL, res.Cookies())
	return res, nil
}

func (b *Browser) own(u *url.URL) bool { return u.Scheme+"://"+u.Host == b.Origin }
