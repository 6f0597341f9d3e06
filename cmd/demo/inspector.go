package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	maxSeen      = 100 // requests that the inspector remembers, of everybody together
	maxFollowers = 64  // streams at a time
)

// seen is one request as the API received it. It holds no credential: the bearer token is there as a fingerprint,
// of a cookie only that it came.
type seen struct {
	ID      string            `json:"id"`
	Time    time.Time         `json:"time"`
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Status  int               `json:"status"`
	Token   string            `json:"token"`
	Cookie  bool              `json:"cookie"`
	Headers map[string]string `json:"headers"`
	subject string
}

// sighting describes a request.
func sighting(r *http.Request, status int, now time.Time) seen {
	s := seen{
		ID: rand.Text(), Time: now, Method: r.Method, Path: r.URL.RequestURI(), Status: status,
		Cookie: r.Header.Get("Cookie") != "", Headers: map[string]string{"Host": r.Host},
	}
	for name, values := range r.Header {
		switch name {
		case "Cookie": // its value is nobody's business
		case "Authorization":
			s.Token = fingerprint(values[0])
			s.Headers[name] = "Bearer " + s.Token
		default:
			s.Headers[name] = strings.Join(values, ", ")
		}
	}
	return s
}

// fingerprint names a credential without giving it away: the first 8 of its SHA-256's 64 hexadecimal digits.
func fingerprint(authorization string) string {
	_, credential, _ := strings.Cut(authorization, " ")
	sum := sha256.Sum256([]byte(credential))
	return "sha256:" + hex.EncodeToString(sum[:4]) + "…"
}

// inspector remembers the last requests and hands new ones to who follows. Everybody sees only their own.
type inspector struct {
	mu        sync.Mutex
	last      []seen // oldest first
	followers map[chan seen]string
}

func newInspector() *inspector { return &inspector{followers: map[chan seen]string{}} }

func (i *inspector) record(subject string, s seen) {
	s.subject = subject
	i.mu.Lock()
	defer i.mu.Unlock()
	i.last = append(i.last, s)
	if len(i.last) > maxSeen {
		i.last = i.last[1:]
	}
	for next, who := range i.followers {
		if who != subject {
			continue
		}
		select {
		case next <- s:
		default: // a follower that does not read misses one; it finds it in the past when it comes back
		}
	}
}

// follow returns what was seen of a subject, and a channel of what will be, until stop is called. With
// too many followers the channel stays silent.
func (i *inspector) follow(subject string) (past []seen, next <-chan seen, stop func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, s := range i.last {
		if s.subject == subject {
			past = append(past, s)
		}
	}
	ch := make(chan seen, 16)
	if len(i.followers) < maxFollowers {
		i.followers[ch] = subject
	}
	return past, ch, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		delete(i.followers, ch)
	}
}
