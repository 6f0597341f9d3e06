package e2e

import (
	"net/url"

	"cloakroom/e2e/browse"
)

// nav is a navigation to target, from a page of origin from, that stops before the path stop.
func nav(target, from, stop string) browse.Nav {
	return browse.Nav{URL: target, From: from, Stop: stop}
}

// navPost is a form of a page of origin from.
func navPost(target, from string) browse.Nav {
	return browse.Nav{URL: target, From: from, Form: url.Values{}}
}
