package edge

import "net/http"

// OwnCSP is the Content-Security-Policy of every answer that does not set one of its own: data, not a page.
// Nothing in it runs, loads or is framed.
const OwnCSP = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// permissions denies what a page of ours has no use for; frames inherit it.
const permissions = "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), " +
	"fullscreen=(self), geolocation=(), gyroscope=(), hid=(), idle-detection=(), local-fonts=(), magnetometer=(), " +
	"microphone=(), midi=(), payment=(), picture-in-picture=(), publickey-credentials-create=(), publickey-credentials-get=(), " +
	"screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=()"

// hsts is two years, as browsers' preload lists want at least one.
const hsts = "max-age=63072000; includeSubDomains"

// SecurityHeaders puts the security headers on every answer, before anybody writes it (HDR-01 to HDR-07). A handler
// of pages replaces Content-Security-Policy and Referrer-Policy by its own.
//
// Strict-Transport-Security is sent for an https origin only (RFC 6797, section 7.2).
func SecurityHeaders(o Origin) Middleware {
	// The values are shared by all answers: whoever changes a header replaces its slice (Set, Del, Add do).
	// Their capacity is their length, so that Add copies.
	fixed := []struct {
		name  string
		value []string
	}{
		{"X-Content-Type-Options", one("nosniff")},
		{"Referrer-Policy", one("no-referrer")},
		{"Cross-Origin-Opener-Policy", one("same-origin")},
		{"Cross-Origin-Resource-Policy", one("same-origin")},
		{"Permissions-Policy", one(permissions)},
		{"Content-Security-Policy", one(OwnCSP)},
	}
	if o.Scheme == "https" {
		fixed = append(fixed, struct {
			name  string
			value []string
		}{"Strict-Transport-Security", one(hsts)})
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			for i := range fixed {
				h[fixed[i].name] = fixed[i].value
			}
			next.ServeHTTP(w, r)
		})
	}
}

// one is a header's single value.
func one(value string) []string { return []string{value} }
