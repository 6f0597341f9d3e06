package static

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The development server, the rule: it sees the pages' requests and nothing about the user. Cookies, Authorization and X-CSRF stay here; what
// it says about cookies, caches of other sites and the origin's security does not reach the browser either. Only WebSockets are upgraded, which
// is how hot reload speaks, and only for pages of our origin: any site can open a socket to localhost, and the server trusts us.

// hiddenFromDev and hiddenByDev are the headers that do not cross, to it and from it. Without Origin it answers as to its own pages.
var (
	hiddenFromDev = []string{"Cookie", "Authorization", "Proxy-Authorization", "X-Csrf", "Forwarded", "Expect", "Origin"}
	hiddenByDev   = []string{"Set-Cookie", "Set-Cookie2", "Server", "X-Powered-By", "Content-Security-Policy", "Content-Security-Policy-Report-Only", "Strict-Transport-Security",
		"Clear-Site-Data", "Alt-Svc", "Www-Authenticate", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Permissions-Policy", "X-Request-Id", "X-Cloakroom",
		"Cross-Origin-Opener-Policy", "Cross-Origin-Embedder-Policy", "Cross-Origin-Resource-Policy", "Service-Worker-Allowed", "Nel", "Report-To", "Reporting-Endpoints"}
)

// devServer passes requests on to Vite or the like.
type devServer struct {
	proxy   *httputil.ReverseProxy
	at      string // where it should be, for people
	origin  string
	onError func(http.ResponseWriter, *http.Request, error)
}

func newDevServer(c Config, d Deps) (*devServer, error) {
	to, err := url.Parse(c.DevServer)
	if err != nil {
		return nil, fmt.Errorf("dev_server: %w", err)
	}
	if d.Origin == "" {
		return nil, errors.New("dev_server: without the app's origin its WebSocket would be open to every site")
	}
	csp := c.CSP
	if csp == "" {
		csp = devPolicy(d.Origin)
	}
	s := &devServer{at: c.DevServer, origin: d.Origin, onError: d.OnError}
	s.proxy = &httputil.ReverseProxy{
		Rewrite:        func(p *httputil.ProxyRequest) { toDev(p, to) },
		Transport:      devTransport(),
		ModifyResponse: func(res *http.Response) error { fromDev(res, csp); return nil },
		ErrorHandler:   s.failed,
		ErrorLog:       slog.NewLogLogger(d.Log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// devTransport reaches this machine alone, whatever localhost resolves to and the environment says about proxies.
func devTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		if to, err := netip.ParseAddrPort(address); err != nil || !to.Addr().IsLoopback() {
			return fmt.Errorf("%s is not on this machine", address)
		}
		return nil
	}}
	return &http.Transport{
		DialContext:           dialer.DialContext,
		ResponseHeaderTimeout: 2 * time.Minute, // the first request waits until the app's packages are bundled
		TLSHandshakeTimeout:   5 * time.Second,
		IdleConnTimeout:       60 * time.Second,
		MaxIdleConnsPerHost:   32,
		MaxConnsPerHost:       256,
		DisableCompression:    true,
	}
}

// answerHeader is the context's key for the header of the answer as the edge prepared it.
type answerHeader struct{}

// ServeHTTP passes a request on, unless it wants another protocol than WebSocket, or that from elsewhere.
func (s *devServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	upgrade := r.Header.Values("Upgrade")
	switch {
	case len(upgrade) == 0:
		limitTime(w, devAnswer)
	case len(upgrade) == 1 && strings.EqualFold(upgrade[0], "websocket"):
		if origin := r.Header.Values("Origin"); len(origin) != 1 || origin[0] != s.origin {
			s.onError(w, r, fmt.Errorf("%w: Origin %.100q", ErrForeignOrigin, origin))
			return
		}
	default:
		r = r.Clone(r.Context())
		r.Header.Del("Upgrade") // answered as if it had not asked (RFC 9110, section 7.8)
	}
	own := answer{w.Header(), w.Header().Clone()}
	s.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), answerHeader{}, own)))
}

// devAnswer is taken for the size of every answer, which is not known beforehand: a bundled library has a few megabytes.
const devAnswer = 16 << 20

// answer is the header of an answer, and a copy from before the proxy touched it.
type answer struct{ header, before http.Header }

// toDev makes a request the development server's own: its name is in Host, so that it need not allow ours.
func toDev(p *httputil.ProxyRequest, to *url.URL) {
	p.SetURL(to)
	p.Out.URL.RawQuery = p.In.URL.RawQuery // Vite's queries have no values; they must not be tidied up
	hide(p.Out.Header, hiddenFromDev, "X-Forwarded-")
	if p.Out.Header.Get("Upgrade") != "" { // from our origin, as is checked; Vite wants its token where there is an Origin
		p.Out.Header.Set("Origin", to.Scheme+"://"+to.Host)
	}
}

// fromDev takes out of an answer what is not the development server's to say, and puts in what every page of ours has.
func fromDev(res *http.Response, csp string) {
	hide(res.Header, hiddenByDev, "Access-Control-")
	if kind := res.Header.Get("Content-Type"); strings.HasPrefix(kind, "text/") && !strings.Contains(kind, "charset=") {
		res.Header.Set("Content-Type", kind+"; charset=utf-8") // Vite's are all UTF-8, and do not say so
	}
	if own, ok := res.Request.Context().Value(answerHeader{}).(answer); ok {
		maps.Copy(own.header, own.before) // ReverseProxy drops everything after a 103
		Protect(own.header, csp)          // here and not in res, because ReverseProxy adds to what there is
	}
}

// failed answers for a development server that did not.
func (s *devServer) failed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		s.onError(w, r, context.Canceled) // the client is gone, nothing is wrong with the server
		return
	}
	s.onError(w, r, fmt.Errorf("%w: start it, usually with `npm run dev`; it is expected on %s: %w", ErrDevServer, s.at, err))
}

// hide deletes headers by name, and all that begin with prefix.
func hide(h http.Header, names []string, prefix string) {
	for name := range h {
		if slices.Contains(names, name) || strings.HasPrefix(name, prefix) {
			delete(h, name)
		}
	}
}

// devPolicy is the strict policy with what hot reload needs: inline scripts (React's refresh) and styles, and the WebSocket to our own
// origin, which not every browser counts as 'self'.
func devPolicy(origin string) string {
	return "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; " +
		"worker-src 'self' blob:; connect-src 'self' ws" + strings.TrimPrefix(origin, "http") +
		"; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
}
