package bff

import (
	"net/netip"
	"strings"
)

// browserName is a short name of a browser and its system, for people who look at their list of devices. It is a
// guess from a header that anyone can set, and decides nothing.
func browserName(userAgent string) string {
	browser := firstOf(userAgent, "Browser", "Edg", "Edge", "OPR", "Opera", "Firefox", "Firefox", "Chrome", "Chrome", "Safari", "Safari", "curl", "curl")
	system := firstOf(userAgent, "", "Android", "Android", "iPhone", "iPhone", "iPad", "iPad", "Windows", "Windows", "Mac OS", "macOS", "Linux", "Linux")
	if system == "" {
		return browser
	}
	return browser + " on " + system
}

// firstOf returns the name that follows the first mark found in s, or other.
func firstOf(s, other string, marksAndNames ...string) string {
	for i := 0; i < len(marksAndNames); i += 2 {
		if strings.Contains(s, marksAndNames[i]) {
			return marksAndNames[i+1]
		}
	}
	return other
}

// addressPrefix is the network of an address, coarse enough not to be a person: /24, or /48 for IPv6.
func addressPrefix(a netip.Addr) string {
	bits := 24
	if a = a.Unmap(); a.Is6() {
		bits = 48
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}
