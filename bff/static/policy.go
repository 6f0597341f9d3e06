package static

import "net/http"

// policy is the strict default (HDR-05, HDR-06): this origin alone, no plug-ins, no frames around. Small images may be
// data: URLs, because builds inline them.
const policy = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

// permissions is what an app's page may use (HDR-07), itself and never a frame of another origin: what needs no device, and
// the three devices for which browsers ask the user each time. The rest is denied.
const permissions = "accelerometer=(), autoplay=(self), camera=(self), display-capture=(), encrypted-media=(self), " +
	"fullscreen=(self), geolocation=(self), gyroscope=(), hid=(), idle-detection=(), local-fonts=(), magnetometer=(), " +
	"microphone=(self), midi=(), payment=(), picture-in-picture=(self), publickey-credentials-create=(self), publickey-credentials-get=(self), " +
	"screen-wake-lock=(self), serial=(), usb=(), xr-spatial-tracking=()"

// Protect puts the policies of a page in the place of those for data, which the edge has set. An empty csp is the strict default. Referrer-Policy is same-origin, because under
// no-referrer a form's POST would have Origin: null and be taken for a foreign one.
func Protect(h http.Header, csp string) {
	if csp == "" {
		csp = policy
	}
	h.Set("Content-Security-Policy", csp)
	h.Set("Permissions-Policy", permissions)
	h.Set("Referrer-Policy", "same-origin")
}
