package inbound

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

const (
	// passwordFresh is how long a right password is taken again without a hash.
	passwordFresh = time.Minute
	// passwordsKept bounds how many right passwords are remembered.
	passwordsKept = 4096
	// hashPatience is how long an attempt waits for a processor, and hashQueue how many attempts may wait.
	hashPatience = 3 * time.Second
	hashQueue    = 64
	// maxPassword bounds a password, in bytes.
	maxPassword = 1 << 10
)

var errBusy = errors.New("too many passwords to look at")

// passwords know users by name and password (RFC 7617).
//
// A hash is slow, so a right password is remembered for a moment: as a MAC under a key of this process, of the name, the password and the hash, so that a change of
// the file counts at once. A wrong one is not remembered. Hashes run on as many processors as there are, and no more.
type passwords struct {
	file    *watched[userFile]
	roles   map[string][]string
	now     func() time.Time
	secret  []byte
	tries   *throttle
	right   *lru.Cache[[sha256.Size]byte, time.Time] // until when
	slots   chan struct{}
	waiting atomic.Int64
	matches func(hash, []byte) bool

	mu      sync.Mutex
	flights map[[sha256.Size]byte]*attempt
}

// attempt is one password being looked at, for all requests that have it.
type attempt struct {
	done chan struct{}
	ok   bool
	err  error
}

func newPasswords(cfg Basic, d Deps) (*passwords, error) {
	file, err := newWatched("callers.basic.file", cfg.File, parseUsers)
	if err != nil {
		return nil, err
	}
	secret := make([]byte, 32)
	rand.Read(secret) // never fails
	kept, _ := lru.New[[sha256.Size]byte, time.Time](passwordsKept)
	return &passwords{
		file: file, roles: cfg.Roles, now: d.Now, secret: secret, tries: newThrottle(secret), right: kept,
		slots: make(chan struct{}, runtime.GOMAXPROCS(0)), matches: hash.matches, flights: map[[sha256.Size]byte]*attempt{},
	}, nil
}

// byPassword identifies a user. Who is unknown and who has another password look the same from outside, by answer and by time.
func (in *Inbound) byPassword(ctx context.Context, r *http.Request) (*Caller, error) {
	if !in.overTLS(r) {
		return nil, refuse(ReasonBasicPlain, "")
	}
	user, password, ok := parseBasic(r.Header.Get("Authorization"))
	if !ok {
		return nil, refuse(ReasonBasicMalformed, "")
	}
	p := in.users
	who := p.tries.who(user, in.deps.Client(r))
	// Also for who is right: else a right password that is remembered could be guessed as fast as requests come.
	if wait := p.tries.wait(who, p.now()); wait > 0 {
		return nil, throttled(wait)
	}
	if err := p.check(ctx, user, password, who); err != nil {
		return nil, err
	}
	return p.caller(user), nil
}

// caller is a user whose password is right.
func (p *passwords) caller(user string) *Caller {
	return &Caller{Kind: KindBasic, ID: user, Name: user, Subject: user, Roles: p.roles[user]}
}

func throttled(wait time.Duration) *Refusal {
	return &Refusal{Status: http.StatusTooManyRequests, Reason: ReasonBasicThrottled, RetryAfter: wait}
}

// parseBasic reads user and password. They are UTF-8 without control characters.
func parseBasic(line string) (user string, password []byte, ok bool) {
	scheme, value, ok := splitAuthorization(line)
	if !ok || scheme != "basic" {
		return "", nil, false
	}
	plain, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil {
		return "", nil, false
	}
	user, text, ok := strings.Cut(string(plain), ":")
	if !ok || !isUser(user) || len(text) > maxPassword || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", nil, false
	}
	return user, []byte(text), true
}

// check decides whether the password is the user's: nil if it is.
func (p *passwords) check(ctx context.Context, user string, password []byte, who [sha256.Size]byte) error {
	h, known := p.file.get().of(user)
	name := p.name(user, h, password)
	if until, ok := p.right.Get(name); ok && p.now().Before(until) {
		return nil
	}
	a, ours := p.join(name)
	if ours {
		p.try(ctx, a, name, who, func() bool { return p.matches(h, password) && known })
	}
	select {
	case <-a.done:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	if a.err == nil && !a.ok {
		return refuse(ReasonBasicPassword, "")
	}
	return a.err
}

// name stands for a user, a password and a hash in memory. Without the process' secret it says nothing of them.
func (p *passwords) name(user string, h hash, password []byte) [sha256.Size]byte {
	mac := hmac.New(sha256.New, p.secret)
	for _, part := range []string{user, h.text(), string(password)} {
		mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		mac.Write([]byte(part))
	}
	return [sha256.Size]byte(mac.Sum(nil))
}

// join finds out who looks at the password: this request, or one that it waits for. Many requests with the same one are one attempt.
func (p *passwords) join(name [sha256.Size]byte) (a *attempt, ours bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a, ok := p.flights[name]; ok {
		return a, false
	}
	a = &attempt{done: make(chan struct{})}
	p.flights[name] = a
	return a, true
}

// try makes the one attempt, if there is a try left and a processor free.
func (p *passwords) try(ctx context.Context, a *attempt, name, who [sha256.Size]byte, matches func() bool) {
	defer func() {
		p.mu.Lock()
		delete(p.flights, name)
		p.mu.Unlock()
		close(a.done)
	}()
	if wait := p.tries.take(who, p.now()); wait > 0 {
		a.err = throttled(wait)
		return
	}
	if a.err = p.enter(ctx); a.err != nil {
		p.tries.give(who) // it was not looked at
		return
	}
	a.ok = matches()
	<-p.slots
	if a.ok {
		p.right.Add(name, p.now().Add(passwordFresh))
		p.tries.give(who)
	}
}

// enter waits for a processor.
func (p *passwords) enter(ctx context.Context) error {
	if p.waiting.Add(1) > hashQueue {
		p.waiting.Add(-1)
		return fmt.Errorf("%w: %w", ErrUnavailable, errBusy)
	}
	defer p.waiting.Add(-1)
	// Others may wait for this attempt, whose client is there still.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hashPatience)
	defer cancel()
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnavailable, errBusy)
	}
}
