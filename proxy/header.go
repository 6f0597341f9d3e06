package proxy

import (
	"net/http"
	"strings"
)

// What may cross, and what not. A name that ends in * stands for all that begin like it.
//
// Both ways: a name that is not made of letters, digits and hyphens does not cross. X_User_Id and X.User.Id turn into
// HTTP_X_USER_ID in CGI, WSGI and Rack, as X-User-Id does.
//
// To the upstream everything goes but
//   - credentials: cookies, the client's own Authorization. The upstream gets our bearer or nothing (law 8);
//   - who the client is and how it came: a client could write anything there. Ours is said once, in Forwarded and
//     X-Forwarded-For, -Host, -Proto, and the request's name in X-Request-Id;
//   - what tells a server to take another method, path or host than it was asked for;
//   - what is between two neighbours only (RFC 9110, section 7.6.1), and trailers.
//
// To the client everything goes but
//   - cookies: this origin's cookies are ours;
//   - what governs the whole origin, its security or its caches, in browsers and in proxies in front. Ours stands;
//   - what asks for credentials or gives them;
//   - what tells about the inside.

var requestRule = newRule(
	// credentials
	"Cookie", "Cookie2", "Authorization", "Proxy", "Proxy-*", "DPoP", "Client-Cert", "Client-Cert-*", "X-CSRF",
	"X-Access-Token", "X-Id-Token", "X-Refresh-Token", "X-JWT-*", "X-Authorization",
	// who: what proxies and identity-aware gateways tell the servers behind them
	"X-Auth*", "X-User", "X-User-*", "X-UserId", "X-UserName", "X-Email", "X-Groups", "X-Group", "X-Role", "X-Roles", "X-Scopes", "X-Subject",
	"X-Identity*", "X-Principal*", "X-Remote-*", "Remote-*", "X-WebAuth-*", "X-WebObjects-*", "X-Hasura-*", "X-Vouch-*", "X-Pomerium-*",
	"X-MS-Client-Principal*", "X-MS-Token-*", "X-Goog-Authenticated-User-*", "X-Goog-IAP-*", "X-Amzn-OIDC-*", "X-Amzn-Mtls-*", "X-ApiGateway-*",
	"X-Consumer-*", "X-Credential-*", "X-Anonymous-Consumer", "X-Endpoint-API-UserInfo", "OIDC-*", "IV-*", "SM-*", "Impersonate-*", "Tailscale-*", "Cf-*",
	// client certificates, as terminators tell them
	"X-SSL*", "SSL-*", "X-TLS-*", "X-MTLS-*", "X-Client-Cert*", "X-Client-DN", "X-Client-Verify", "X-Client-Subject*", "X-ARR-*", "X-SPIFFE-*",
	// from where
	"Forwarded", "Forwarded-*", "X-Forwarded", "X-Forwarded-*", "X-Forward-*", "X-Real-*", "X-Client-IP", "Client-IP", "True-Client-IP", "X-True-*",
	"X-Cluster-*", "X-Originating-*", "X-ProxyUser-*", "X-Proxy-*", "X-Host", "X-Scheme", "X-URL-Scheme", "Front-End-Https", "X-Envoy-*", "X-AppEngine-*", "X-Azure-*",
	"Fastly-*", "Fly-*", "CloudFront-*", "Akamai-*", "Incap-*", "WL-Proxy-*", "Via", "X-Request-Id", "X-Cloakroom*",
	// another method, path, host or file than asked for
	"X-HTTP-Method", "X-HTTP-Method-Override", "X-Method-Override", "X-Original-*", "X-Rewrite-*", "X-Accel-*", "X-Sendfile-*", "X-Middleware-*",
	// between neighbours; Expect is answered by our own server, and preflights never get here
	"Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "HTTP2-Settings", "Expect", "Max-Forwards", "Access-Control-Request-*",
)

var responseRule = newRule(
	// cookies and credentials
	"Set-Cookie", "Set-Cookie2", "Set-Login", "WWW-Authenticate", "Optional-WWW-Authenticate", "Proxy-*", "Authentication-*", "Authorization", "DPoP-*",
	"X-Auth*", "X-Access-Token", "X-Id-Token", "X-Refresh-Token", "X-User", "X-User-*",
	// the origin's rules
	"Access-Control-*", "Clear-Site-Data", "Strict-Transport-Security", "Public-Key-Pins", "Public-Key-Pins-*", "Expect-CT", "Alt-Svc", "Refresh",
	"Service-Worker-Allowed", "Service-Worker-Navigation-Preload", "NEL", "Report-To", "Reporting-Endpoints", "Origin-Agent-Cluster", "Origin-Trial", "Accept-CH", "Critical-CH",
	"Content-Security-Policy", "Content-Security-Policy-Report-Only", "X-Content-Security-Policy", "X-WebKit-CSP", "X-Content-Type-Options", "X-Frame-Options",
	"X-XSS-Protection", "X-Permitted-Cross-Domain-Policies", "X-DNS-Prefetch-Control", "X-Download-Options", "Referrer-Policy", "Permissions-Policy", "Permissions-Policy-Report-Only", "Feature-Policy", "Document-Policy*",
	"Cross-Origin-*", "Integrity-Policy*", "Timing-Allow-Origin", "Speculation-Rules", "Supports-Loading-Mode", "Observe-Browsing-Topics", "Attribution-Reporting-*", "Activate-Storage-Access",
	"Sec-Session-*", "Secure-Session-*", "Use-As-Dictionary",
	// caches in front that have a word of their own (RFC 9213), and servers in front that would fetch something
	"CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Vercel-CDN-Cache-Control", "Netlify-CDN-Cache-Control", "Surrogate-*", "Edge-Control", "Edge-Cache-*",
	"X-Accel-Redirect", "X-Accel-Expires", "X-Accel-Limit-Rate", "X-Accel-Charset", "X-LiteSpeed-*", "X-Sendfile", "X-LIGHTTPD-*",
	// the inside
	"Server", "Server-Timing", "Via", "X-Powered-By", "X-AspNet-*", "X-AspNetMvc-*", "X-Runtime", "X-Version", "X-Generator", "X-Served-By", "X-Backend*", "X-Upstream*", "X-Server*", "X-Instance*", "X-Pod*",
	"X-Envoy-*", "X-Kong-*", "X-Varnish", "X-Debug*", "X-Internal*", "X-Forwarded-*", "X-Forwarded", "Forwarded", "X-Original-*", "X-Rewrite-*", "X-Real-*", "X-Azure-*", "X-AmzN-*", "X-Amz-Cf-*", "X-MS-*", "X-Host*",
	"SourceMap", "X-SourceMap", "X-Request-Id", "X-Cloakroom*",
	// between neighbours
	"Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
)

// rule is a list of names that do not cross, ready to be asked quickly.
type rule struct {
	names    map[string]struct{} // in canonical form
	prefixes [26][]string        // by first letter
}

func newRule(names ...string) *rule {
	r := &rule{names: map[string]struct{}{}}
	for _, n := range names {
		start, isPrefix := strings.CutSuffix(n, "*")
		start = http.CanonicalHeaderKey(start)
		if isPrefix {
			r.prefixes[start[0]-'A'] = append(r.prefixes[start[0]-'A'], start)
		} else {
			r.names[start] = struct{}{}
		}
	}
	return r
}

// refuses reports whether a header does not cross.
func (r *rule) refuses(name string) bool {
	if !plainName(name) {
		return true
	}
	if _, ok := r.names[name]; ok {
		return true
	}
	if c := name[0]; c >= 'A' && c <= 'Z' {
		for _, p := range r.prefixes[c-'A'] {
			if strings.HasPrefix(name, p) {
				return true
			}
		}
	}
	return false
}

// filter takes out of h what does not cross.
func (r *rule) filter(h http.Header) {
	for name := range h {
		if r.refuses(name) {
			delete(h, name)
		}
	}
}

// plainName reports whether a name is of letters, digits and hyphens, in the form that net/http gives every name it reads.
// Another form would slip past an exact comparison, so it is refused rather than compared loosely.
func plainName(name string) bool {
	first := true // of a word: capital; else small
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'A' && c <= 'Z' && first, c >= 'a' && c <= 'z' && !first, c >= '0' && c <= '9':
			first = false
		case c == '-':
			first = true
		default:
			return false
		}
	}
	return name != ""
}
