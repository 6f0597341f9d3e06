package proxy

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWhoMayKeepAnAnswer(t *testing.T) { // HDR-08
	private, public := CacheConfig{Policy: "private", MaxAge: time.Minute}, CacheConfig{Policy: "public", MaxAge: time.Minute}
	for _, c := range []struct {
		name     string
		config   CacheConfig
		to       audience
		upstream string // lines, separated by a bar
		status   int
		want     string // empty: as the upstream said
		varies   bool
	}{
		{"nothing said about a user", CacheConfig{}, somebody, "", 200, "no-store", false},
		{"public said about a user", CacheConfig{Policy: "strict"}, somebody, "public, max-age=60", 200, "no-store", false},
		{"the upstream chose private", CacheConfig{}, somebody, "private, max-age=60", 200, "", true},
		{"private for some headers only", CacheConfig{}, somebody, `private="set-cookie", max-age=60`, 200, "no-store", false},
		{"nobody signed in where somebody could be", CacheConfig{}, anonymous, "public, max-age=60", 200, "", true},
		{"nobody to ask about", CacheConfig{}, anybody, "public, max-age=60", 200, "", false},

		{"private: a word of the route's own", private, somebody, "", 200, "private, max-age=60", true},
		{"private: not for an error", private, somebody, "", 500, "no-store", false},
		{"private: public is cut down", private, somebody, "public, max-age=300, s-maxage=9000", 200, "private, max-age=300", true},
		{"private: the upstream's word for an error holds", private, somebody, "max-age=5", 404, "private, max-age=5", true},
		{"private: no-store holds", private, somebody, "no-store, max-age=5", 200, "no-store", false},
		{"private: in several lines", private, somebody, "public|max-age=5, Must-Revalidate", 200, "private, max-age=5, must-revalidate", true},
		{"private: no-cache holds", private, somebody, "no-cache", 200, "private, no-cache", true},
		{"private: what is quoted is not taken apart", private, somebody, `no-cache="a, public", max-age=5`, 200, "no-store", false},
		{"private: nonsense for a number", private, somebody, "max-age=-1", 200, "no-store", false},
		{"private: also while nobody is signed in", private, anonymous, "public, max-age=5", 200, "private, max-age=5", true},
		{"private: without a word of anybody", CacheConfig{Policy: "private"}, somebody, "", 200, "no-store", false},

		{"public: a word of the route's own", public, anybody, "", 200, "public, max-age=60", false},
		{"public: the upstream's word holds", public, anybody, "no-store", 200, "", false},
		{"public: not for an error", public, anybody, "", 404, "", false},
		{"public: never about somebody", public, somebody, "public, max-age=60", 200, "no-store", false},

		{"none: whoever asks, whatever is said", CacheConfig{Policy: "none"}, anybody, "public, max-age=60", 200, "no-store", false},
		{"none: about a user", CacheConfig{Policy: "none"}, somebody, "private", 200, "no-store", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var lines []string
			if c.upstream != "" {
				lines = strings.Split(c.upstream, "|")
			}
			got, varies := c.config.cacheControl(c.to, lines, c.status == 200)
			if strings.Join(got, "|") != c.want || varies != c.varies {
				t.Errorf("got %q %v, want %q %v", got, varies, c.want, c.varies)
			}
		})
	}
}

// An upstream that gets no token, but is told who asks, answers about a user all the same.
func TestAnAnswerIsAboutWhoIsNamedToTheUpstream(t *testing.T) { // HDR-08
	up, _ := rawUpstream(t, "HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	for name, c := range map[string]struct {
		user User
		want string
	}{"somebody": {ada, "no-store"}, "nobody": {User{}, "public, max-age=60"}} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, up, func(conf *Config, caller *Caller) { conf.Auth, caller.Bearer, caller.User = "optional", "", c.user })
			if res, _ := get(t, g.URL+"/x"); !slices.Equal(res.Header["Cache-Control"], []string{c.want}) {
				t.Errorf("got %q", res.Header["Cache-Control"])
			}
		})
	}
}

// With a token of the machine's own, what is public is for the operator to say.
func TestAnAnswerToTheMachineIsPublicOnlyIfTheRouteSaysSo(t *testing.T) { // HDR-08
	up, _ := rawUpstream(t, "HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	for name, c := range map[string]struct {
		cache CacheConfig
		want  string
	}{"it does": {CacheConfig{Policy: "public", MaxAge: time.Minute}, "public, max-age=60"}, "it does not": {CacheConfig{}, "no-store"}} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, up, func(conf *Config, _ *Caller) { conf.Auth, conf.Cache = "none", c.cache })
			if res, _ := get(t, g.URL+"/x"); !slices.Equal(res.Header["Cache-Control"], []string{c.want}) || res.Header["Vary"] != nil {
				t.Errorf("got %q, Vary %q", res.Header["Cache-Control"], res.Header["Vary"])
			}
		})
	}
}

// What confirms a copy says of it what was said when it was made: no-store would make the browser throw it away.
func TestACopyThatIsConfirmedIsKept(t *testing.T) { // HDR-08
	for status, want := range map[string]string{"304 Not Modified": "private, max-age=60", "206 Partial Content": "no-store", "404 Not Found": "no-store"} {
		t.Run(status, func(t *testing.T) {
			up, _ := rawUpstream(t, "HTTP/1.1 "+status+"\r\nETag: \"1\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			g := newGateway(t, up, func(conf *Config, _ *Caller) { conf.Cache = CacheConfig{Policy: "private", MaxAge: time.Minute} })
			res, _ := get(t, g.URL+"/x", "If-None-Match", `"1"`)
			if !slices.Equal(res.Header["Cache-Control"], []string{want}) || (want != "no-store") != slices.Equal(res.Header["Vary"], []string{"Cookie"}) {
				t.Errorf("got %q, Vary %q", res.Header["Cache-Control"], res.Header["Vary"])
			}
		})
	}
}

func TestPoliciesThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		auth  string
		cache CacheConfig
		key   string
	}{
		"public with a session":       {"required", CacheConfig{Policy: "public", MaxAge: time.Minute}, "cache.policy"},
		"public, perhaps a session":   {"optional", CacheConfig{Policy: "public", MaxAge: time.Minute}, "cache.policy"},
		"public for no time":          {"none", CacheConfig{Policy: "public"}, "cache.max_age"},
		"private without a session":   {"none", CacheConfig{Policy: "private"}, "cache.policy"},
		"a time for what is not kept": {"required", CacheConfig{Policy: "strict", MaxAge: time.Minute}, "cache.max_age"},
		"a part of a second":          {"required", CacheConfig{Policy: "private", MaxAge: time.Millisecond}, "cache.max_age"},
	} {
		t.Run(name, func(t *testing.T) {
			conf := conf("/x")
			if conf.Auth, conf.Cache = c.auth, c.cache; problems(conf)[c.key] == "" {
				t.Errorf("it was taken: %v", problems(conf))
			}
		})
	}
}
