package edge

import (
	"net/http"
	"strings"
)

// Navigation reports whether a person goes to r in a window of their own: a GET or HEAD with Sec-Fetch-Mode
// navigate and Sec-Fetch-Dest document, or from a browser without fetch metadata, with text/html in Accept.
// Only such a request is ever redirected; scripts, frames and images are told by status.
func Navigation(r *http.Request) bool {
	if !safe(r.Method) {
		return false
	}
	if !fetchMetadata(r.Header) {
		return acceptsHTML(r.Header) && len(r.Header["Upgrade"]) == 0
	}
	return only(r.Header["Sec-Fetch-Mode"]) == "navigate" && only(r.Header["Sec-Fetch-Dest"]) == "document"
}

// wantsPage reports whether an error is shown to a person. It does not decide anything, so it is wider than
// Navigation: the answer to a form and the content of a frame are read by people too.
func wantsPage(r *http.Request) bool {
	if !fetchMetadata(r.Header) {
		return acceptsHTML(r.Header) && len(r.Header["Upgrade"]) == 0
	}
	return only(r.Header["Sec-Fetch-Mode"]) == "navigate"
}

// fetchMetadata reports whether the browser sends any. Without Mode the others say too little.
func fetchMetadata(h http.Header) bool {
	return len(h["Sec-Fetch-Mode"]) > 0 || len(h["Sec-Fetch-Site"]) > 0 || len(h["Sec-Fetch-Dest"]) > 0
}

// acceptsHTML looks for text/html by name: */* is what scripts say.
func acceptsHTML(h http.Header) bool {
	for _, line := range h["Accept"] {
		for part := range strings.SplitSeq(line, ",") {
			media, _, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(media), "text/html") {
				return true
			}
		}
	}
	return false
}
