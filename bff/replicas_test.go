package bff

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"cloakroom/configs"
	"cloakroom/session"
)

// replica is another process on a house's store, as far as sessions go.
type replica struct {
	*session.Manager
	h     *house
	grant session.Refreshed // what the next refresh brings
	err   error
}

func (h *house) replica() *replica {
	h.t.Helper()
	r := &replica{h: h}
	m, err := session.New(h.server.current.Load().cfg.Session.Config, h.server.store, session.Deps{
		Refresh:         func(context.Context, *session.Session) (session.Refreshed, error) { return r.grant, r.err },
		InsecureCookies: h.server.current.Load().cfg.Server.InsecureLocalhostCookies,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { m.Close(context.Background()) })
	r.Manager = m
	return r
}

// request is a browser's, as the replica gets it.
func (r *replica) request(b *browser) *http.Request {
	req, _ := http.NewRequestWithContext(r.h.t.Context(), "GET", b.origin+"/api/x", nil)
	req.Header.Set("Cookie", ticketCookie+"="+b.cookie(ticketCookie))
	return req
}

// read is a browser's session there.
func (r *replica) read(b *browser) *session.Session {
	r.h.t.Helper()
	s, err := r.Peek(r.request(b))
	if err != nil {
		r.h.t.Fatal(err)
	}
	return s
}

// refresh makes the session's tokens new there, once, and its roles these.
func (r *replica) refresh(b *browser, roles ...string) {
	r.h.t.Helper()
	s := r.read(b)
	r.grant = session.Refreshed{Identity: true, Claims: s.Claims, Roles: roles, Tokens: session.Tokens{
		Access: fmt.Sprint("access ", time.Now().UnixNano()), Expires: time.Now().Add(time.Hour),
	}}
	if newer, err := r.OtherToken(r.h.t.Context(), s); err != nil || newer.Tokens.Access == s.Tokens.Access {
		r.h.t.Fatalf("no refresh: %v", err)
	}
}

// What a refresh on another replica changes shows as soon as it is announced, whether copies are trusted or not. New tokens alone, a request and a
// keepalive there say nothing; an empty list of roles is as good as none.
func TestEventsTellWhatARefreshElsewhereChanged(t *testing.T) {
	for name, staleness := range map[string]time.Duration{"with copies": 2 * time.Second, "staleness 0": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newStreamHouse(t, func(c *configs.Config) { c.Session.Staleness = staleness })
			b := h.browser()
			b.signIn("/bff/login")
			e := b.opens("/bff/events", "text/event-stream")
			if name, _ := e.next(); name != "state" {
				t.Fatalf("the first event is %q", name)
			}
			roles := h.replica().read(b).Roles
			h.replica().refresh(b, roles...) // the same
			if _, err := h.replica().FromRequest(h.replica().request(b)); err != nil {
				t.Fatal(err)
			}
			if err := h.replica().KeepAlive(t.Context(), h.replica().read(b)); err != nil {
				t.Fatal(err)
			}
			for _, next := range [][]string{{"auditor"}, {}, {"clerk"}} {
				start := time.Now()
				h.replica().refresh(b, next...)
				event, data := e.next()
				got, _ := data["roles"].([]any)
				if event != "changed" || fmt.Sprint(got) != fmt.Sprint(next) {
					t.Fatalf("heard %s %v, want changed and the roles %q", event, data, next)
				}
				if took := time.Since(start); took > lastEvent*4 { // looking now and then takes 15 seconds
					t.Errorf("it took %v", took)
				}
			}
			h.replica().refresh(b, "clerk")
			h.replica().refresh(b, []string(nil)...)
			if event, data := e.next(); event != "changed" || data["roles"] != nil {
				t.Errorf("heard %s %v, want changed and no roles", event, data)
			}
			h.replica().refresh(b, []string{}...)
			h.replica().refresh(b, "last")
			if event, data := e.next(); event != "changed" || fmt.Sprint(data["roles"]) != "[last]" {
				t.Errorf("heard %s %v, want changed and the last roles", event, data)
			}
		})
	}
}

// A change that nobody heard of shows when announcements are heard again.
func TestEventsTellWhatChangedWhileNothingWasHeard(t *testing.T) {
	var store *deafened
	h := newStreamHouse(t, nil, func(inner session.Store) session.Store {
		store = &deafened{Store: inner}
		return store
	})
	b := h.browser()
	b.signIn("/bff/login")
	e := b.opens("/bff/events", "text/event-stream")
	e.next()
	h.eventually("announcements are heard", h.server.sessions.CopiesTrusted)
	store.silence(true)
	h.replica().refresh(b, "auditor")
	start := time.Now()
	store.silence(false)
	if event, data := e.next(); event != "changed" || fmt.Sprint(data["roles"]) != "[auditor]" || time.Since(start) > heartbeat/2 {
		t.Errorf("heard %s %v after %v", event, data, time.Since(start))
	}
}

// Every end says why, in the event, in the socket's close frame, in the metric and in the access log, whoever made it.
func TestStreamsSayWhyTheirSessionEnded(t *testing.T) {
	for why, end := range map[string]func(h *house, b *browser) error{
		"device": func(h *house, b *browser) error {
			_, err := h.replica().EndDevice(b.t.Context(), h.replica().read(b), h.replica().read(b).Handle)
			return err
		},
		"backchannel": func(h *house, b *browser) error {
			s := h.replica().read(b)
			_, err := h.replica().EndByProvider(b.t.Context(), s.Issuer, s.Subject, "", time.Now().Add(time.Minute))
			return err
		},
		"invalid_grant": func(h *house, b *browser) error {
			r := h.replica()
			r.err = session.ErrInvalidGrant
			if _, err := r.OtherToken(b.t.Context(), r.read(b)); err == nil {
				return io.ErrUnexpectedEOF
			}
			return nil
		},
		"lifetime": func(*house, *browser) error { return nil },
	} {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			h := newStreamHouse(t, func(c *configs.Config) {
				if why == "lifetime" {
					c.Session.Lifetime, c.Session.IdleTimeout = 1500*time.Millisecond, time.Minute
				}
			})
			b := h.browser()
			b.signIn("/bff/login")
			c, err := b.socket("/api/socket")
			if err != nil {
				t.Fatal(err)
			}
			e := b.opens("/bff/events", "text/event-stream")
			e.next()
			if err := end(h, b); err != nil {
				t.Fatal(err)
			}
			name, data := e.next()
			for name == "expiring" {
				name, data = e.next()
			}
			if name != "ended" || data["reason"] != why {
				t.Errorf("the last event: %s %v", name, data)
			}
			_, _, err = c.Read(t.Context())
			if closed := websocket.CloseStatus(err); closed != 4401 || !strings.Contains(err.Error(), "session ended: "+why) {
				t.Errorf("the socket: %v", err)
			}
			h.eventually("both are counted", func() bool {
				return strings.Contains(h.metrics(), `cloakroom_streams_closed_total{reason="`+why+`"} 2`)
			})
			h.eventually("both are in the log", func() bool { return strings.Count(h.log.String(), `"ended":"`+why+`"`) == 2 })
		})
	}
}

// What was not heard is found, and its mark says why.
func TestAnEndThatWasNotHeardSaysWhy(t *testing.T) {
	var store *deafened
	h := newStreamHouse(t, nil, func(inner session.Store) session.Store {
		store = &deafened{Store: inner}
		return store
	})
	h.eventually("announcements are heard", h.server.sessions.CopiesTrusted)
	for name, find := range map[string]func(b *browser){
		"when announcements are heard again": func(*browser) { store.silence(false) },
		"by a request":                       func(b *browser) { b.fetch("GET", "/api/x") },
	} {
		b := h.browser()
		b.signIn("/bff/login")
		e := b.opens("/bff/events", "text/event-stream")
		e.next()
		store.silence(true)
		if err := h.replica().EndOne(t.Context(), h.replica().read(b), "device"); err != nil {
			t.Fatal(err)
		}
		find(b)
		if event, data := e.next(); event != "ended" || data["reason"] != "device" {
			t.Errorf("%s: %s %v", name, event, data)
		}
		store.silence(false)
		h.eventually("announcements are heard again", h.server.sessions.CopiesTrusted)
	}
}

// provided is what a revoker sent to the provider.
type provided struct {
	mu     sync.Mutex
	tokens []string
}

func (p *provided) revoke(_ context.Context, r revocation) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens = append(p.tokens, r.token)
	return nil
}

func (p *provided) all() []string { p.mu.Lock(); defer p.mu.Unlock(); return slices.Clone(p.tokens) }

// A session that another replica ends without knowing its tokens is revoked by the one that has it open, once.
func TestWhoHearsAnEndRevokes(t *testing.T) {
	h := newHouse(t, nil)
	at := new(provided)
	h.server.revoker.revoke = at.revoke
	b := h.browser()
	b.signIn("/bff/login")
	b.fetch("GET", "/api/x")
	s := h.replica().read(b)
	if _, err := h.replica().EndByProvider(t.Context(), s.Issuer, s.Subject, "", time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	h.eventually("it is counted", func() bool { return strings.Contains(h.metrics(), `cloakroom_revocations_total{result="ok"} 1`) })
	h.stop() // whatever else there is to revoke is revoked by then
	if got := at.all(); !slices.Equal(got, []string{s.Tokens.Refresh}) {
		t.Errorf("revoked %d tokens, want the session's refresh token", len(got))
	}
	if got := h.events("tokens_revoked"); len(got) != 1 || got[0]["session"] != s.ID().Short() {
		t.Errorf("events: %v", got)
	}
	if bytes.Contains([]byte(h.log.String()), []byte(s.Tokens.Refresh)) {
		t.Error("the log has the token")
	}
}
