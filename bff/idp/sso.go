package idp

import (
	"crypto/rand"
	"net/http"
	"slices"
	"sync"
	"time"
)

// ssoCookie names the provider's own session cookie. Other servers on the same host could see it (cookies know
// no ports), which is one more reason why this provider is for loopback only.
const ssoCookie = "idp-session"

const ssoLife = 12 * time.Hour

// login is one browser's session at the provider.
type login struct {
	User     User
	SID      string // the claim `sid`; not the cookie's value
	AuthTime time.Time
	Clients  []string // IDs of the clients that this session signed in to
}

// sso holds the sessions, by cookie value.
type sso struct {
	mu     sync.Mutex
	logins *bounded[login]
}

func newSSO() *sso { return &sso{logins: newBounded[login](maxEntries, nil)} }

// current returns the browser's session, if it has one that is not too old.
func (s *sso) current(r *http.Request) (login, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lookup(r)
}

// end removes the browser's session and returns what it was.
func (s *sso) end(r *http.Request) (login, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.lookup(r)
	if ok {
		c, _ := r.Cookie(ssoCookie) // lookup read it
		s.logins.remove(c.Value)
	}
	return l, ok
}

func (s *sso) lookup(r *http.Request) (login, bool) {
	c, err := r.Cookie(ssoCookie)
	if err != nil {
		return login{}, false
	}
	l, ok := s.logins.get(c.Value)
	if !ok || time.Since(l.AuthTime) > ssoLife {
		return login{}, false
	}
	return l, true
}

// start begins a session for u, or confirms the one that u already has in this browser. Another user's session there
// ends, and is returned for its clients to be told.
func (s *sso) start(w http.ResponseWriter, r *http.Request, u User) (now login, ended *login) {
	now = login{User: u, SID: rand.Text(), AuthTime: time.Now()}
	if old, ok := s.end(r); ok && old.User.Subject == u.Subject {
		now.SID, now.Clients = old.SID, old.Clients
	} else if ok {
		ended = &old
	}
	ticket := rand.Text() // a new one at every sign-in
	s.mu.Lock()
	s.logins.put(ticket, now)
	s.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: ssoCookie, Value: ticket, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return now, ended
}

// joined remembers that the session sid signed in to a client.
func (s *sso) joined(sid, client string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ticket, l := range s.logins.entries {
		if l.SID == sid && !slices.Contains(l.Clients, client) {
			l.Clients = append(slices.Clone(l.Clients), client)
			s.logins.put(ticket, l)
		}
	}
}
