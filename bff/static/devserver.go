package static

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The development server, the rule: it sees the pages' requests and nothing about the user. Cookies, Authorization and X-CSRF stay here; what
// it says about cookies, caches of other sites and the origin's security does not reach the browser either. Only WebSockets are upgraded, which
// is how hot reload speaks.

// hiddenFromDev and hiddenByDev are the headers that do not cross, to it and from it.
var (
	hiddenFromDev = []string{"Cookie", "Authorization", "Proxy-Authorization", "X-Csrf", "Forwarded", "Expect"}
	hiddenByDev   = []string{"Set-Cookie", "Set-Cookie2", "Server", "X-Powered-By", "Content-Security-Policy", "Content-Security-Policy-Report-Only", "Strict-Transport-Security",
		"Clear-Site-Data", "Alt-Svc", "Www-Authenticate", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Permissions-Policy", "X-Request-Id", "X-Cloakroom",
		"Cross-Origin-Opener-Policy", "Cross-Origin-Embedder-Policy", "Cross-Origin-Resource-Policy", "Service-Worker-Allowed", "Nel", "Report-To", "Reporting-Endpoints"}
)

// devServer passes requests on to Vite or the like.
type devServer struct {
	proxy *httputil.ReverseProxy
	deps  Deps
}

func newDevServer(c Config, d Deps) (*devServer, error) {
	to, err := url.Parse(c.DevServer)
	if err != nil {
		return nil, fmt.Errorf("dev_server: %w", err)
	}
	csp := c.CSP
	if csp == "" {
		csp = devPolicy(to)
	}
	s := &devServer{deps: d}
	s.proxy = &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(to)
			p.Out.URL.RawQuery = p.In.URL.RawQuery // Vite's queries have no values; they must not be tidied up
			hide(p.Out.Header, hiddenFromDev, "X-Forwarded-")
		},
		Transport: &http.Transport{ // no environment proxy: this server is on this machine
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			ResponseHeaderTimeout: 60 * time.Second, // a first build takes its time
			TLSHandshakeTimeout:   5 * time.Second,
			IdleConnTimeout:       60 * time.Second,
			MaxIdleConnsPerHost:   32,
			MaxConnsPerHost:       256,
			DisableCompression:    true,
		},
		ModifyResponse: func(res *http.Response) error {
			hide(res.Header, hiddenByDev, "Access-Control-")
			res.Header.Set("Content-Security-Policy", csp)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			d.OnError(w, r, fmt.Errorf("%w: start it, usually with `npm run dev`; it is expected on %s", ErrDevServer, c.DevServer))
		},
		ErrorLog: slog.NewLogLogger(d.Log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// ServeHTTP passes a request on, unless it wants another protocol than WebSocket.
func (s *devServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if to := r.Header.Values("Upgrade"); len(to) > 0 && !(len(to) == 1 && strings.EqualFold(to[0], "websocket")) {
		r = r.Clone(r.Context())
		r.Header.Del("Upgrade") // answered as if it had not asked (RFC 9110, section 7.8)
	}
	w.Header().Del("Content-Security-Policy") // ReverseProxy adds; the app's policy stands alone
	s.proxy.ServeHTTP(w, r)
}

// hide deletes headers by name, and all that begin with prefix.
func hide(h http.Header, names []string, prefix string) {
	for name := range h {
		if slices.Contains(names, name) || strings.HasPrefix(name, prefix) {
			delete(h, name)
		}
	}
}

// devPolicy is the strict policy with what hot reload needs: inline scripts and styles, evaluated source maps, and a
// WebSocket to the development server itself, where the one through us fails.
func devPolicy(to *url.URL) string {
	return "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; " +
		"worker-src 'self' blob:; connect-src 'self' ws://" + to.Host + " wss://" + to.Host +
		"; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
}
