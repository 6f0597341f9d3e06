package up

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/coder/websocket"
)

// maxBody bounds what the upstream reads of one request.
const maxBody = 16 << 20

// ServeHTTP notes the request and answers by the last element of its path.
func (u *Upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if u.slow(w, r) {
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		panic(http.ErrAbortHandler) // the proxy broke off: no complete request arrived
	}
	seen := Request{Method: r.Method, Target: r.RequestURI, Body: string(body)}
	seen.Headers = r.Context().Value(rawKey{}).(*rawConn).headers(r)
	u.mu.Lock()
	u.seen = append(u.seen, seen)
	u.mu.Unlock()

	switch name := path.Base(r.URL.Path); name {
	case "sse":
		u.events(w, r)
	case "ws":
		sockets(w, r)
	case "hold":
		u.wait("hold", r.Context().Done())
		echo(w, seen)
	case "big":
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write(bytes.Repeat([]byte("0123456789abcde\n"), 1<<16))
	case "abort":
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "the beginning of")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case "hostile":
		hostile(w.Header())
		echo(w, seen)
	case "hints":
		w.Header().Set("Link", "</app.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		echo(w, seen)
	case "demanding":
		u.demand(w, r, seen)
	case "again":
		http.Redirect(w, r, "/bff/login?return_to="+url.QueryEscape(r.URL.Path), http.StatusFound)
	case "json":
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"items":[{"id":1,"total":"12.50"},{"id":2,"total":"8.00"}],"next":null}`)
	default:
		if dir := path.Base(path.Dir(r.URL.Path)); dir == "status" {
			status, _ := strconv.Atoi(name)
			w.WriteHeader(max(status, http.StatusOK))
			return
		}
		echo(w, seen)
	}
}

// echo answers what arrived. The bearer goes back as a thumbprint: what an upstream repeats of its
// token is the upstream's own leak, not the one that the scanner looks for.
func echo(w http.ResponseWriter, seen Request) {
	answer := seen
	answer.Headers = make([][2]string, len(seen.Headers))
	for i, h := range seen.Headers {
		if token, ok := strings.CutPrefix(h[1], "Bearer "); ok {
			h[1] = "Bearer " + Thumbprint(token)
		}
		answer.Headers[i] = h
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// demand answers the challenge of RFC 9470 that the query names, until another token comes than the first one for this target.
func (u *Upstream) demand(w http.ResponseWriter, r *http.Request, seen Request) {
	u.mu.Lock()
	first, known := u.weak[r.RequestURI]
	if !known {
		first = seen.Bearer()
		u.weak[r.RequestURI] = first
	}
	u.mu.Unlock()
	if seen.Bearer() != first {
		echo(w, seen)
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_user_authentication", `+r.URL.Query().Get("c"))
	w.WriteHeader(http.StatusUnauthorized)
}

// events sends one event at once and one after the gate.
func (u *Upstream) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w)
	_, _ = io.WriteString(w, "data: first\n\n")
	_ = flush.Flush()
	u.wait("sse", r.Context().Done())
	_, _ = io.WriteString(w, "data: second\n\n")
	_ = flush.Flush()
}

// sockets echoes messages. Which origin may connect is the proxy's decision, not this server's.
func sockets(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer c.CloseNow()
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if err := c.Write(r.Context(), kind, message); err != nil {
			return
		}
	}
}

// hostile sets what no upstream may send to a browser in the server's name (CK-07, HDR-09).
func hostile(h http.Header) {
	h.Add("Set-Cookie", "__Host-Http-session=evil; Secure; HttpOnly; Path=/")
	h.Add("Set-Cookie", "__HOST-HTTP-SESSION=evil; Secure; Path=/")
	h.Add("Set-Cookie", "tracker=1")
	h.Set("Server", "upstream/1.2.3")
	h.Set("X-Powered-By", "upstream")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Clear-Site-Data", `"*"`)
	h.Set("Strict-Transport-Security", "max-age=0")
	h.Set("Alt-Svc", `h2="evil.test:443"`)
	h.Set("Refresh", "0; url=https://evil.test/")
	h.Set("Service-Worker-Allowed", "/")
	h.Set("WWW-Authenticate", `Basic realm="upstream"`)
	h.Set("Cache-Control", "public, max-age=31536000")
	h.Set("Referrer-Policy", "unsafe-url")
	h.Set("X-Content-Type-Options", "sniff")
	h.Set("X-Cloakroom", "problem")
}
