package browse

import (
	"net/http"
	"net/url"
	"sort"
	"strings"
	"sync"
	"time"
)

// jar keeps cookies by host name. Cookies know no ports (RFC 6265, section 8.5).
type jar struct {
	mu    sync.Mutex
	hosts map[string]map[string]*http.Cookie
	order map[*http.Cookie]int
	count int
}

func newJar() *jar {
	return &jar{hosts: make(map[string]map[string]*http.Cookie), order: make(map[*http.Cookie]int)}
}

// set stores what an answer sets, unless a browser would refuse it.
func (j *jar) set(u *url.URL, cookies []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range cookies {
		if !acceptable(c) {
			continue
		}
		host := j.hosts[u.Hostname()]
		if host == nil {
			host = make(map[string]*http.Cookie)
			j.hosts[u.Hostname()] = host
		}
		if c.MaxAge < 0 || (!c.Expires.IsZero() && c.MaxAge == 0 && c.Expires.Before(time.Now())) {
			delete(host, c.Name)
			continue
		}
		j.count++
		j.order[c] = j.count
		host[c.Name] = c
	}
}

// acceptable holds the cookie to what its prefix promises (RFC 6265bis, section 4.1.3; layered cookies).
func acceptable(c *http.Cookie) bool {
	if len(c.Name)+len(c.Value) > 4096 {
		return false
	}
	name := strings.ToLower(c.Name)
	if strings.HasPrefix(name, "__host-") && (!c.Secure || c.Path != "/" || c.Domain != "") {
		return false
	}
	if (strings.HasPrefix(name, "__host-http-") || strings.HasPrefix(name, "__http-")) && !c.HttpOnly {
		return false
	}
	return true
}

// header returns the Cookie header for a request, oldest cookie first. Every host of the tests is loopback, where
// Secure cookies travel over http too.
func (j *jar) header(u *url.URL, crossSite, topLevelGET bool) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var sent []*http.Cookie
	for _, c := range j.hosts[u.Hostname()] {
		if strings.HasPrefix(u.Path, strings.TrimSuffix(c.Path, "/")) && allowed(c, crossSite, topLevelGET) {
			sent = append(sent, c)
		}
	}
	sort.Slice(sent, func(a, b int) bool { return j.order[sent[a]] < j.order[sent[b]] })
	pairs := make([]string, len(sent))
	for i, c := range sent {
		pairs[i] = c.Name + "=" + c.Value
	}
	return strings.Join(pairs, "; ")
}

// allowed is the SameSite rule. Without the attribute a cookie counts as Lax.
func allowed(c *http.Cookie, crossSite, topLevelGET bool) bool {
	switch {
	case !crossSite, c.SameSite == http.SameSiteNoneMode:
		return true
	case c.SameSite == http.SameSiteStrictMode:
		return false
	}
	return topLevelGET
}

func (j *jar) list(host string) []*http.Cookie {
	j.mu.Lock()
	defer j.mu.Unlock()
	var cookies []*http.Cookie
	for _, c := range j.hosts[host] {
		cookies = append(cookies, c)
	}
	return cookies
}
