package session

import (
	"bytes"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Bounds of the opened sessions that a process keeps: how many, and how much of the heap they take (weight.go).
const (
	maxCopies     = 16384
	maxCopiesSize = 192 << 20
)

// opened is one opened session with the record that it was opened from.
type opened struct {
	version uint64
	sealed  []byte
	session *Session
	weight  int
	use     *use
	epoch   uint64 // in which the store answered this; 0 once something newer was heard of. Guarded by copies.mu
	old     bool   // a newer version was heard of. Guarded by copies.mu
}

// copies keeps opened sessions by ID. Only whoever presents the ticket asks for its ID, which is the ticket's hash.
//
// A copy serves in one of two ways. Where the store has just answered the same bytes at the same version, it saves
// decrypting and decoding. Where it is trusted, it saves the question too. For that, all of these must hold, and each closes a way in which an ended or changed session
// could be served:
//
//   - the announcements proved alive within staleness: everything written until then has been heard (see prove);
//   - the copy is of this epoch. Every subscription, and every loss of one, begins another: what was announced in between is unknown;
//   - no newer version, and no end, was heard of, neither since the copy was read nor while it was being read (see load);
//   - it is not past the time at which the store may have expired it: expiries are not announced.
type copies struct {
	staleness time.Duration // 0: no copy is ever trusted
	begun     time.Time     // what instants count from
	proof     atomic.Pointer[proof]

	mu        sync.Mutex // guards all below, and opened.epoch
	lru       *simplelru.LRU[ID, *opened]
	size      int
	max       int
	epoch     uint64
	listening bool
	loads     map[ID]*load
}

// proof says that everything that was written until sent has been heard in this epoch.
type proof struct {
	epoch uint64
	sent  instant
}

// load is a read of the store under way. What is heard in the meantime may be newer than what it brings.
type load struct {
	epoch uint64
	least uint64 // an earlier version has been overtaken
	next  *load  // another of the same session
}

func newCopies(count, size int, staleness time.Duration, begun time.Time) (*copies, error) {
	c := &copies{staleness: staleness, begun: begun, max: size, loads: map[ID]*load{}}
	lru, err := simplelru.NewLRU(count, func(_ ID, o *opened) { c.size -= o.weight })
	if err != nil {
		return nil, err
	}
	c.lru = lru
	return c, nil
}

// trusted returns the copy that serves without asking the store, or nil. The proof is looked at first: a copy of its epoch
// that is there afterwards was current then.
func (c *copies) trusted(id ID, now time.Time) *opened {
	p, at := c.proof.Load(), c.instant(now)
	if p == nil || !at.within(c.staleness, p.sent) {
		return nil
	}
	c.mu.Lock()
	o, ok := c.lru.Get(id)
	ok = ok && o.epoch == p.epoch && c.epoch == p.epoch
	c.mu.Unlock()
	if !ok || !o.use.lasts(at) || !now.Before(o.session.Deadline) {
		return nil
	}
	return o
}

// proven reports whether copies may be trusted at all.
func (c *copies) proven(now time.Time) bool {
	p := c.proof.Load()
	return p != nil && c.instant(now).within(c.staleness, p.sent)
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

// put keeps s, which was opened from rec, in place of an earlier copy. A later one that is current stays: a slow read does not take back what a faster one brought.
func (c *copies) put(id ID, rec Record, s *Session) *opened {
	o := &opened{version: rec.Version, sealed: rec.Sealed, session: s, weight: weight(s, rec.Sealed), use: new(use)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.lru.Peek(id); ok {
		o.use = old.use
		if old.epoch == c.epoch && old.version > o.version {
			return o
		}
		c.lru.Remove(id)
	}
	c.lru.Add(id, o)
	c.size += o.weight
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

// newest returns the copy that there is unless a newer version was heard of, or nil: good enough to know an ended session's tokens by.
func (c *copies) newest(id ID) *Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o, ok := c.lru.Peek(id); ok && !o.old {
		return o.session
	}
	return nil
}

// begin registers a read that is about to be made, so that it is known afterwards whether something overtook it. It returns nil where no copy can
// be trusted, because nobody listens.
func (c *copies) begin(id ID) *load {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.listening || c.staleness <= 0 {
		return nil
	}
	l := &load{epoch: c.epoch, next: c.loads[id]}
	c.loads[id] = l
	return l
}

// done ends what begin began.
func (c *copies) done(id ID, l *load) {
	if l == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loads[id] != l {
		for at := c.loads[id]; at != nil; at = at.next {
			if at.next == l {
				at.next = l.next
			}
		}
		return
	}
	if c.loads[id] = l.next; l.next == nil {
		delete(c.loads, id)
	}
}

// current makes o, which l brought, one that may be trusted, unless something newer was heard of meanwhile, or not everything was heard.
func (c *copies) current(id ID, o *opened, l *load) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept, ok := c.lru.Peek(id); ok && kept == o && l.epoch == c.epoch && o.version >= l.least {
		o.epoch = l.epoch
	}
}

// hear takes notice of a write: what was announced, and what this process wrote itself, before it is announced. Version 0 is
// an end. What is not newer than the copy changes nothing, so that our own announcement does not undo what we know already.
func (c *copies) hear(id ID, version uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	least := version
	if version == 0 {
		least = math.MaxUint64
	}
	for l := c.loads[id]; l != nil; l = l.next {
		l.least = max(l.least, least)
	}
	if o, ok := c.lru.Peek(id); ok && least > o.version {
		o.epoch = 0
		o.old = o.old || version != math.MaxUint64
		if version == 0 {
			c.lru.Remove(id)
		}
	}
}

// doubt takes the trust from a copy whose session may or may not have been written: the store knows.
func (c *copies) doubt(id ID) { c.hear(id, math.MaxUint64) }

// forget drops the copies whose sealed form opens no more, and lets no read that is under way bring one that is trusted.
func (c *copies) forget(opens func(sealed []byte) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.loads {
		for ; l != nil; l = l.next {
			l.least = math.MaxUint64
		}
	}
	for _, id := range c.lru.Keys() {
		if o, ok := c.lru.Peek(id); ok && !opens(o.sealed) {
			c.lru.Remove(id)
		}
	}
}

// subscribed begins an epoch in which everything is heard. Copies of earlier ones are not trusted again before the store is asked.
func (c *copies) subscribed() (epoch uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(true)
	return c.epoch
}

// lost begins an epoch in which nothing is heard.
func (c *copies) lost() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(false)
}

func (c *copies) turn(listening bool) {
	c.epoch++
	c.listening = listening
	c.proof.Store(nil)
}

// prove notes that everything until sent has been heard in an epoch, if it is still that one.
func (c *copies) prove(epoch uint64, sent instant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listening && c.epoch == epoch {
		c.proof.Store(&proof{epoch, sent})
	}
}

// extend notes until when the store keeps a session that this process has just touched.
func (c *copies) extend(id ID, until instant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o, ok := c.lru.Peek(id); ok {
		o.use.until(until)
	}
}
