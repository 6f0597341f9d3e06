package session

import (
	"bytes"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Bounds of the opened sessions that a process keeps. The second one counts sealed bytes; opened, a session takes about three times as much.
const (
	maxCopies     = 16384
	maxCopiesSize = 64 << 20
)

// opened is one opened session with the record that it was opened from.
type opened struct {
	version uint64
	sealed  []byte
	session *Session
	touched *atomic.Int64 // when this process last moved the idle timeout, milliseconds since 1970; outlives the version
}

// copies keeps opened sessions by ID. It saves decrypting and decoding, never the question to the store: a copy is
// used only where the store has just answered the same bytes at the same version. And only whoever presents the ticket
// asks for its ID, which is the ticket's hash.
type copies struct {
	mu   sync.Mutex
	lru  *simplelru.LRU[ID, *opened]
	size int
	max  int
}

func newCopies(count, size int) (*copies, error) {
	c := &copies{max: size}
	lru, err := simplelru.NewLRU(count, func(_ ID, o *opened) { c.size -= len(o.sealed) })
	if err != nil {
		return nil, err
	}
	c.lru = lru
	return c, nil
}

// get returns the copy of exactly this record, or nil.
func (c *copies) get(id ID, rec Record) *opened {
	c.mu.Lock()
	o, ok := c.lru.Get(id)
	c.mu.Unlock()
	if !ok || o.version != rec.Version || !bytes.Equal(o.sealed, rec.Sealed) {
		return nil
	}
	return o
}

// put keeps s, which was opened from rec, in place of an earlier copy.
func (c *copies) put(id ID, rec Record, s *Session) *opened {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := &opened{version: rec.Version, sealed: rec.Sealed, session: s, touched: new(atomic.Int64)}
	if old, ok := c.lru.Peek(id); ok {
		o.touched = old.touched
		c.lru.Remove(id)
	}
	c.lru.Add(id, o)
	c.size += len(o.sealed)
	for c.size > c.max && c.lru.Len() > 1 {
		c.lru.RemoveOldest()
	}
	return o
}

// session returns whatever copy there is, current or not, or nil: good enough to know an ended session's indexes and tokens by.
func (c *copies) session(id ID) *Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o, ok := c.lru.Peek(id); ok {
		return o.session
	}
	return nil
}

func (c *copies) drop(id ID) {
	c.mu.Lock()
	c.lru.Remove(id)
	c.mu.Unlock()
}

// claimTouch reports whether a touch is due, and takes it: of many concurrent requests one gets true. The previous time is for giving it back.
func (o *opened) claimTouch(now time.Time, every time.Duration) (previous int64, due bool) {
	previous = o.touched.Load()
	if now.UnixMilli()-previous < every.Milliseconds() {
		return previous, false
	}
	return previous, o.touched.CompareAndSwap(previous, now.UnixMilli())
}
