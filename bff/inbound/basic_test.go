package inbound

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// gatehouse is an Inbound with a file of users that counts its hashes.
type gatehouse struct {
	*Inbound
	path   string
	clock  *clock
	log    *logged
	mu     sync.Mutex
	hashed []string // the cost of each hash
}

func newGatehouse(t *testing.T, users string) *gatehouse {
	t.Helper()
	g := &gatehouse{path: file(t, "users", users), clock: newClock(), log: &logged{}}
	in, err := New(Config{Basic: Basic{File: g.path, Realm: "api", Roles: map[string][]string{"alice": {"support"}}}}, deps(g.clock, g.log))
	if err != nil {
		t.Fatal(err)
	}
	in.users.matches = func(h hash, password []byte) bool {
		g.mu.Lock()
		g.hashed = append(g.hashed, h.cost())
		g.mu.Unlock()
		return h.matches(password)
	}
	g.Inbound = in
	return g
}

func (g *gatehouse) hashes() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.hashed)
}

func (g *gatehouse) from(t *testing.T, address, user, password string) (*Caller, error) {
	t.Helper()
	return g.Identify(t.Context(), basicRequest(address, user+":"+password), KindBasic)
}

func basicRequest(address, credentials string) *http.Request {
	r := request("/", "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(credentials)))
	r.RemoteAddr, r.TLS = address, &tls.ConnectionState{}
	return r
}

const home = "192.0.2.1:1234"

func TestAUserIsKnownByPassword(t *testing.T) {
	g := newGatehouse(t, "alice:"+bcrypted(t, "pa:ss wörd")+"\nbob:"+argoned("other"))
	got, err := g.from(t, home, "alice", "pa:ss wörd")
	want := &Caller{Kind: KindBasic, ID: "alice", Name: "alice", Subject: "alice", Roles: []string{"support"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if got, err := g.from(t, home, "bob", "other"); err != nil || got.Roles != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

// AUN-05: over TLS alone, and without a hash for what came otherwise.
func TestAPasswordInTheOpenIsNotLookedAt(t *testing.T) {
	g := newGatehouse(t, "alice:"+bcrypted(t, "x"))
	for _, from := range []string{home, "127.0.0.1:1"} {
		r := basicRequest(from, "alice:x")
		r.TLS = nil
		_, err := g.Identify(t.Context(), r, KindBasic)
		if got := refusal(t, err); got.Reason != ReasonBasicPlain || got.Status != http.StatusUnauthorized {
			t.Errorf("got %+v", got)
		}
	}
	if len(g.hashes()) != 0 {
		t.Error("it was hashed")
	}
}

// AUN-05: an unknown user, a wrong password, one that is too long for bcrypt: the same answer, and one hash of the same cost each.
func TestNobodyLearnsWhoIsThere(t *testing.T) {
	g := newGatehouse(t, "alice:"+bcrypted(t, strings.Repeat("a", 72))+"\nbob:"+bcrypted(t, "x")+"\neve:"+argoned("x"))
	answers := map[string]bool{}
	for i, c := range []struct{ user, password string }{
		{"alice", "wrong"}, {"alice", strings.Repeat("a", 73)}, {"alice", ""}, {"nobody", "wrong"}, {"nobody", strings.Repeat("a", 73)}, {"Alice", strings.Repeat("a", 72)},
	} {
		_, err := g.from(t, fmt.Sprintf("192.0.2.%d:1", i), c.user, c.password)
		answers[fmt.Sprintf("%+v", *refusal(t, err))] = true
	}
	if len(answers) != 1 {
		t.Errorf("%d different answers: %v", len(answers), answers)
	}
	if got := fmt.Sprint(g.hashes()); got != "[bcrypt 04 bcrypt 04 bcrypt 04 bcrypt 04 bcrypt 04 bcrypt 04]" {
		t.Errorf("hashed %s", got)
	}
}

func TestBasicIsParsedStrictly(t *testing.T) {
	g := newGatehouse(t, "alice:"+bcrypted(t, "x"))
	for name, line := range map[string]string{
		"no colon":            "Basic " + base64.StdEncoding.EncodeToString([]byte("alice")),
		"no user":             "Basic " + base64.StdEncoding.EncodeToString([]byte(":x")),
		"a control character": "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:x\n")),
		"no UTF-8":            "Basic " + base64.StdEncoding.EncodeToString([]byte("al\xffice:x")),
		"base64url":           "Basic YWxpY2U6eD_-",
		"no padding":          "Basic YWxpY2U6eA",
		"bits to spare":       "Basic YWxpY2U6eB==",
		"a long password":     "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:"+strings.Repeat("x", 1025))),
	} {
		r := basicRequest(home, "")
		r.Header.Set("Authorization", line)
		_, err := g.Identify(t.Context(), r, KindBasic)
		if got := refusal(t, err); got.Reason != ReasonBasicMalformed || got.Status != http.StatusUnauthorized {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if len(g.hashes()) != 0 {
		t.Error("something was hashed")
	}
}

// AUN-05: a right password is hashed once a minute, and a wrong one each time.
func TestRightPasswordsAreRemembered(t *testing.T) {
	g := newGatehouse(t, "alice:"+bcrypted(t, "x"))
	for range 50 {
		if _, err := g.from(t, home, "alice", "x"); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(g.hashes()); n != 1 {
		t.Errorf("%d hashes, want 1", n)
	}
	g.clock.pass(passwordFresh)
	if _, err := g.from(t, home, "alice", "x"); err != nil || len(g.hashes()) != 2 {
		t.Errorf("after a minute: %v, %d hashes", err, len(g.hashes()))
	}
	for range 2 {
		if _, err := g.from(t, home, "alice", "y"); err == nil {
			t.Fatal("a wrong password passes")
		}
	}
	if n := len(g.hashes()); n != 4 {
		t.Errorf("%d hashes, want 4", n)
	}
	for name := range g.users.flights {
		t.Errorf("an attempt is left: %x", name)
	}
}

// AUN-05: by user and address, a few tries and then one in a while; the hash is not even made. Others do not notice.
func TestGuessingIsSlow(t *testing.T) {
	g := newGatehouse(t, "alice:"+bcrypted(t, "x")+"\nbob:"+bcrypted(t, "x"))
	guess := func(user, at string) (status int, wait time.Duration) {
		_, err := g.from(t, at, user, "wrong")
		r := refusal(t, err)
		return r.Status, r.RetryAfter
	}
	for i := range throttleBurst {
		if status, _ := guess("alice", home); status != http.StatusUnauthorized {
			t.Fatalf("try %d: %d", i+1, status)
		}
	}
	before := len(g.hashes())
	if status, wait := guess("alice", home); status != http.StatusTooManyRequests || wait != throttlePause {
		t.Errorf("one more: %d, wait %v, want 429 and %v", status, wait, throttlePause)
	}
	if _, err := g.from(t, home, "alice", "x"); refusal(t, err).Reason != ReasonBasicThrottled {
		t.Error("a right guess is told from a wrong one during the pause")
	}
	if len(g.hashes()) != before {
		t.Error("a hash was made during the pause")
	}
	for _, other := range [][2]string{{"bob", home}, {"alice", "192.0.2.2:1"}, {"alice", "[2001:db8:0:1::1]:1"}} {
		if _, err := g.from(t, other[1], other[0], "x"); err != nil {
			t.Errorf("%v is held up: %v", other, err)
		}
	}
	g.clock.pass(throttlePause)
	if _, err := g.from(t, home, "alice", "x"); err != nil {
		t.Errorf("after the pause: %v", err)
	}
	if status, _ := guess("alice", home); status != http.StatusUnauthorized {
		t.Error("a right password does not give its try back")
	}
	if status, _ := guess("alice", home); status != http.StatusTooManyRequests {
		t.Error("one right password wipes out the wrong ones")
	}
}

// The whole /64 of IPv6 is one address, IPv4 in IPv6 is IPv4, and the name's case and what follows it are different users.
func TestWhoIsThrottledTogether(t *testing.T) {
	g := newGatehouse(t, "alice:"+bcrypted(t, "x"))
	for i := range throttleBurst {
		if _, err := g.from(t, fmt.Sprintf("[2001:db8::%x:1]:1", i), "alice", "no"); refusal(t, err).Status != http.StatusUnauthorized {
			t.Fatal(err)
		}
		if _, err := g.from(t, []string{home, "[::ffff:192.0.2.1]:9"}[i%2], "alice", "no"); refusal(t, err).Status != http.StatusUnauthorized {
			t.Fatal(err)
		}
	}
	for _, at := range []string{"[2001:db8::ffff]:1", home, "[::ffff:192.0.2.1]:9"} {
		if _, err := g.from(t, at, "alice", "no"); refusal(t, err).Status != http.StatusTooManyRequests {
			t.Errorf("%s is another address", at)
		}
	}
}

// A password that is remembered cannot be guessed faster than one that is not.
func TestWhatIsRememberedIsThrottledToo(t *testing.T) {
	g := newGatehouse(t, "alice:"+bcrypted(t, "x"))
	if _, err := g.from(t, home, "alice", "x"); err != nil {
		t.Fatal(err)
	}
	for range throttleBurst {
		_, _ = g.from(t, home, "alice", "wrong")
	}
	if _, err := g.from(t, home, "alice", "x"); refusal(t, err).Reason != ReasonBasicThrottled {
		t.Error("it is answered during the pause")
	}
}

// AUN-05: who is no longer in the file, or has another password there, is out at the next look, whatever is remembered.
func TestAChangedFileCountsAtOnce(t *testing.T) {
	old := bcrypted(t, "old")
	g := newGatehouse(t, "alice:"+old+"\nbob:"+old)
	for _, user := range []string{"alice", "bob"} {
		if _, err := g.from(t, home, user, "old"); err != nil {
			t.Fatal(err)
		}
	}
	put(t, g.path, "alice:"+bcrypted(t, "new"))
	g.look()
	if _, err := g.from(t, home, "bob", "old"); err != nil {
		t.Errorf("at first sight it may be half a file: %v", err)
	}
	g.look()
	for _, c := range []struct {
		user, password string
		known          bool
	}{{"alice", "new", true}, {"alice", "old", false}, {"bob", "old", false}} {
		if _, err := g.from(t, home, c.user, c.password); (err == nil) != c.known {
			t.Errorf("%v: %v", c, err)
		}
	}
	if !strings.Contains(g.log.String(), "event=callers_changed key=callers.basic.file") {
		t.Errorf("the log does not tell:\n%s", g.log)
	}
}

func TestABrokenFileReplacesNothing(t *testing.T) {
	g := newGatehouse(t, "alice:"+bcrypted(t, "x"))
	var counted []string
	g.deps.Count = func(event string) { counted = append(counted, event) }
	for range 2 {
		put(t, g.path, "alice:hunter2")
		for range 4 {
			g.look()
		}
		put(t, g.path, "alice:"+bcrypted(t, "x"))
		for range 3 {
			g.look()
		}
	}
	if _, err := g.from(t, home, "alice", "x"); err != nil {
		t.Error(err)
	}
	if got, want := fmt.Sprint(counted), "[file_refused file_changed file_refused file_changed]"; got != want {
		t.Errorf("counted %s, want %s", got, want)
	}
	if text := g.log.String(); !strings.Contains(text, "line 1: the hash is neither") || strings.Contains(text, "hunter2") {
		t.Errorf("logged\n%s", text)
	}
	if _, err := New(Config{Basic: Basic{File: file(t, "bad", "alice:hunter2")}}, g.deps); err == nil || !strings.Contains(err.Error(), "callers.basic.file: line 1") {
		t.Errorf("a start with it: %v", err)
	}
}
