package inbound

import (
	"crypto/hmac"
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Of one user name at one address, a few wrong passwords are taken at once, and then one in a while. It is by both: at the address of a whole office others
// go on, and a user is not locked out by somebody elsewhere. What a whole address may do is a matter of limits.callers.
const (
	throttleBurst = 5
	throttlePause = 12 * time.Second
	throttleKept  = 8192 // whom we remember. Each costs a hash, so to be forgotten takes many
)

// throttle is a bucket of tries for each user and address.
type throttle struct {
	secret []byte
	mu     sync.Mutex
	until  *lru.Cache[[sha256.Size]byte, time.Time] // when the bucket is full again
}

func newThrottle(secret []byte) *throttle {
	kept, _ := lru.New[[sha256.Size]byte, time.Time](throttleKept) // fails for no size but those below one
	return &throttle{secret: secret, until: kept}
}

// who is the bucket of a user at an address. Of IPv6, whoever has one address has its whole /64.
func (t *throttle) who(user string, at netip.Addr) [sha256.Size]byte {
	if at.Is6() && !at.Is4In6() {
		if p, err := at.Prefix(64); err == nil {
			at = p.Addr()
		}
	}
	mac := hmac.New(sha256.New, t.secret) // so that the memory holds no names, and nobody can aim at a bucket
	b, _ := at.Unmap().MarshalBinary()
	mac.Write([]byte{byte(len(b))})
	mac.Write(b)
	mac.Write([]byte(user))
	return [sha256.Size]byte(mac.Sum(nil))
}

// wait is how long the next try has to wait; 0 is not at all.
func (t *throttle) wait(who [sha256.Size]byte, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.waits(who, now)
}

func (t *throttle) waits(who [sha256.Size]byte, now time.Time) time.Duration {
	until, there := t.until.Get(who)
	if !there {
		return 0 // the zero time is too far away to reckon with
	}
	return max(0, until.Sub(now)-(throttleBurst-1)*throttlePause)
}

// take takes a try, or says how long to wait for one. It is taken before the password is looked at: so a crowd at the same moment has no more than one after another.
func (t *throttle) take(who [sha256.Size]byte, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w := t.waits(who, now); w > 0 {
		return w
	}
	until, _ := t.until.Get(who)
	if until.Before(now) {
		until = now
	}
	t.until.Add(who, until.Add(throttlePause))
	return 0
}

// give gives back a try that was right.
func (t *throttle) give(who [sha256.Size]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if until, ok := t.until.Get(who); ok {
		t.until.Add(who, until.Add(-throttlePause))
	}
}
