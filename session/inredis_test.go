package session_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"cloakroom/session"
	"cloakroom/session/storetest"
)

// onRedis are two processes on one Redis, and an administrator's connection to look behind their backs.
func onRedis(t *testing.T) (*twins, *goredis.Client) {
	t.Helper()
	server := storetest.StartRedis(t)
	admin := goredis.NewClient(&goredis.Options{Addr: server.Addr})
	t.Cleanup(func() { _ = admin.Close() })
	return twinsOn(t, &clock{}, openRedis(t, server), openRedis(t, server)), admin
}

// SES-06, SES-07, SES-08: after a thousand random operations every key expires, at the latest with its session's lifetime, and neither keys, values nor
// announcements show a ticket, a token or a name.
func TestWhatRedisHolds(t *testing.T) {
	w, admin := onRedis(t)
	heard := admin.PSubscribe(t.Context(), "*")
	if _, err := heard.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	messages := heard.Channel(goredis.WithChannelSize(5000))
	secrets := []string{"accessrefresh", "https://id.test", "Alice", "alice"}
	secrets = append(secrets, w.anything(1000)...)
	announcement := regexp.MustCompile(`^([A-Za-z0-9_-]{43} \d+|\?ended [A-Za-z0-9_-]{43} [a-z_]+|\?prolonged [A-Za-z0-9_-]{43})$`)
	if err := admin.Publish(t.Context(), "the", "end").Err(); err != nil {
		t.Fatal(err)
	}
	count := 0
	for m := range messages {
		if m.Channel == "the" {
			break
		}
		count++
		if m.Channel != "test:announce" || !announcement.MatchString(m.Payload) {
			t.Errorf("announced %q on %q", m.Payload, m.Channel)
		}
		hides(t, m.Payload, secrets)
	}
	_ = heard.Close()
	keys := 0
	for at := admin.Scan(t.Context(), 0, "*", 1000).Iterator(); at.Next(t.Context()); keys++ {
		key := at.Val()
		left, err := admin.PTTL(t.Context(), key).Result()
		if err != nil || left == -1 || left > config().Lifetime {
			t.Errorf("key %q lives for %v (%v)", key, left, err)
		}
		value, err := admin.Get(t.Context(), key).Result()
		if goredis.HasErrorPrefix(err, "WRONGTYPE") {
			var fields map[string]string
			fields, err = admin.HGetAll(t.Context(), key).Result()
			for field, info := range fields {
				value += field + info
			}
		}
		if err != nil {
			t.Errorf("key %q: %v", key, err)
		}
		hides(t, key+" "+value, secrets)
	}
	if count < 100 || keys < 100 {
		t.Errorf("%d announcements and %d keys: the operations did not do much", count, keys)
	}
}

func hides(t *testing.T, text string, secrets []string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(text, s) {
			t.Errorf("%q shows %q", text, s)
		}
	}
}

// anything makes n random operations of both processes on few users, and returns the tickets.
func (w *twins) anything(n int) (tickets []string) {
	w.t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	var requests []*http.Request
	for range n {
		m := w.both[random.IntN(2)]
		switch op := random.IntN(8); {
		case op <= 1 || len(requests) == 0:
			s := w.alice()
			s.Subject += strconv.Itoa(random.IntN(10))
			s.ProviderSession = []string{"", "sid-" + s.Subject}[random.IntN(2)]
			answer := httptest.NewRecorder()
			if err := m.Start(w.t.Context(), answer, s); err != nil {
				w.check("start", err, session.ErrEnded)
				continue
			}
			requests = append(requests, browser(w.t, answer))
			tickets = append(tickets, answer.Result().Cookies()[0].Value)
		case op == 2:
			_, err := m.Claim(w.t.Context(), "state "+strconv.Itoa(random.IntN(50)))
			w.check("claim", err)
		case op == 3 && random.IntN(4) == 0:
			subject, sid := "alice"+strconv.Itoa(random.IntN(10)), ""
			if random.IntN(2) == 0 {
				subject, sid = "", "sid-"+subject
			}
			_, err := m.EndByProvider(w.t.Context(), "https://id.test", subject, sid, time.Now().Add(-2*time.Second))
			w.check("back-channel logout", err)
		default:
			w.check("request", w.request(m, requests[random.IntN(len(requests))], random.IntN(8)), session.ErrNone)
		}
	}
	return tickets
}

// request does something with a session.
func (w *twins) request(m *session.Manager, r *http.Request, what int) error {
	s, err := m.FromRequest(r)
	if err != nil {
		return err
	}
	switch what {
	case 0:
		return m.EndOne(w.t.Context(), s, "logout")
	case 1:
		return m.KeepAlive(w.t.Context(), s)
	case 2, 3:
		w.provider.mu.Lock()
		w.provider.valid = s.Tokens.Refresh // it is one provider for all users here
		w.provider.mu.Unlock()
		_, err = m.OtherToken(w.t.Context(), s)
	}
	return err
}

// check fails for an error that is none of those that may be.
func (w *twins) check(what string, err error, may ...error) {
	w.t.Helper()
	for _, state := range may {
		if errors.Is(err, state) {
			return
		}
	}
	if err != nil {
		w.t.Errorf("%s: %v", what, err)
	}
}

// A session with tokens of 1.5 KB takes at most 3.5 KB of Redis' memory, its index entries and Redis' own overhead included.
func TestMemoryOfASession(t *testing.T) {
	w, admin := onRedis(t)
	s := w.alice()
	s.Claims = map[string]any{"sub": "alice", "name": "Alice Example", "email": "alice@example.com", "picture": "https://cdn.example.com/u/alice.png"}
	s.Roles, s.Browser, s.Address = []string{"customer", "support"}, "Firefox on Linux", "192.0.2.0/24"
	s.Nonce, s.ProviderSession = strings.Repeat("n", 22), strings.Repeat("s", 36)
	s.Tokens.Access, s.Tokens.Refresh = strings.Repeat("a", 1000), strings.Repeat("r", 500)
	w.signIn(w.both[0], s)
	keys, err := admin.Keys(context.Background(), "*").Result()
	if err != nil || len(keys) != 3 {
		t.Fatalf("keys %q, %v; want a record and two indexes", keys, err)
	}
	var total int64
	for _, key := range keys {
		used, err := admin.MemoryUsage(t.Context(), key, 0).Result()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%-60s %4d bytes", key, used)
		total += used
	}
	if total > 3584 {
		t.Errorf("%d bytes", total)
	}
}
