package session

import (
	"context"
	"errors"
	"time"
)

// States that a store reports. Any other error of a store is an outage: nothing was decided.
var (
	// ErrNone means that there is no such session: never created, expired or ended.
	ErrNone = errors.New("no session")
	// ErrConflict means that the record is not at the version that was read, or that one is there already.
	ErrConflict = errors.New("session was changed by somebody else")
	// ErrEnded means that a mark stands: the session, or every session of its user up to now, was ended.
	ErrEnded = errors.New("session was ended")
	// ErrFull means that a bounded store takes no further session.
	ErrFull = errors.New("session store is full")
	// ErrTooMany means that the user has as many sessions as one may have, and that a further one is refused.
	ErrTooMany = errors.New("user has too many sessions")
	// ErrCorrupt means that the store holds something that no store of ours wrote. It is no session, and an alarm;
	// it is no outage: asking again gives the same answer.
	ErrCorrupt = errors.New("session store holds a damaged value")
	// ErrUnreplicated means that the write is there, on fewer replicas than the store was told to wait for: a failover may undo it. Whoever wanted it
	// may not be told that it is done, and tries again. End and MarkIndex still answer what they did.
	ErrUnreplicated = errors.New("write is on too few replicas")
)

// ID is a session's key in the store: base64url(SHA-256(ticket)), 43 characters.
type ID string

// WriteID names one write, so that a command repeated after a lost answer counts once (docs/engine.md).
type WriteID [16]byte

// Record is one sealed session as the store sees it.
type Record struct {
	// Version counts the writes; a created record has 1.
	Version uint64
	// Write names the write that made this version.
	Write WriteID
	// Sealed is opaque to the store.
	Sealed []byte
}

// IndexKey names one index: all sessions of a user, or all of a provider's session. Made by the Manager, a hash: safe as a key.
type IndexKey string

// Member is one session in an index. Info is sealed and opaque to the store.
type Member struct {
	ID   ID
	Info []byte
}

// Limit is how many members an index may have.
type Limit struct {
	// Max is that number, at least 1.
	Max int
	// Refuse refuses a further member. Without it the oldest ones have to go.
	Refuse bool
	// Gone are members that the caller found to have no session. The store drops those that were added longer ago than Grace, by its own
	// clock: the session of a younger one may be about to be created, and counts.
	Gone  []ID
	Grace time.Duration
	// Leaving are members that do not count, because the caller is about to end them.
	Leaving []ID
}

// Store keeps records, indexes, marks, locks and claims, all with an expiry. Everything is safe for
// concurrent use by any number of processes, and every method honours its context's deadline.
//
// An error other than a sentinel leaves open whether a write took place: the caller repeats it with the same write ID or owner, or asks.
// A time that has passed already is not a mistake: what is stored until then is gone at once.
//
// Each method but TTLs touches one key slot, {session ID} or {index key} or {claim}, so that it runs on Redis Cluster.
type Store interface {
	// Read returns the record, or ErrNone.
	Read(ctx context.Context, id ID) (Record, error)
	// ReadTTL is Read and TTL in one round trip. A record that goes between the two is read with no time left.
	ReadTTL(ctx context.Context, id ID) (Record, time.Duration, error)
	// TTL returns how long the record lives if nothing touches it, or ErrNone.
	TTL(ctx context.Context, id ID) (time.Duration, error)
	// TTLs is TTL for many records, in as few round trips as there can be: one answer for each id, zero where no record is. It is the one method that
	// touches many slots.
	TTLs(ctx context.Context, ids []ID) ([]time.Duration, error)
	// Create stores version 1, which rec.Version must be, until expires. ErrEnded if an ended mark stands for id, ErrConflict if a record is there
	// that another write made. Repeated with the same rec.Write it answers as the first time.
	Create(ctx context.Context, id ID, rec Record, expires time.Time) error
	// Update replaces version rec.Version-1 by rec and keeps the expiry. ErrNone if the record is gone, ErrConflict if its version is another.
	// Repeated with the same rec.Write it answers as the first time, unless another write came in between: that is ErrConflict.
	Update(ctx context.Context, id ID, rec Record) error
	// Touch moves the record's expiry to until, never to an earlier time. It answers false where it moved nothing:
	// gone, or already later.
	Touch(ctx context.Context, id ID, until time.Time) (bool, error)
	// Prolong is Touch that is announced, in one step, where it moved something.
	Prolong(ctx context.Context, id ID, until time.Time) (bool, error)
	// End deletes the record and leaves an ended mark for mark, in one step, also where no record is. It reports whether one was there.
	// The mark and the announcement have the reason, a short word. A mark that stands is never shortened, and keeps its reason.
	End(ctx context.Context, id ID, mark time.Duration, reason string) (existed bool, err error)
	// Why returns the reason of the ended mark, empty if it has none, or ErrNone if no mark stands.
	Why(ctx context.Context, id ID) (reason string, err error)

	// AddIndex adds m to the index until expires, or replaces its info. ErrEnded if the index has a mark that is not earlier than issued,
	// in milliseconds. The index may list m for longer, as long as another member lives: members without a session are dropped by whoever lists.
	AddIndex(ctx context.Context, key IndexKey, m Member, issued, expires time.Time) error
	// AddWithin is AddIndex under a limit, decided in one step. With limit.Refuse it answers ErrTooMany, and adds nothing, where limit.Max others
	// are there already. Else it adds m, as the newest, and returns those that are too many, the oldest ones: they stay members until the caller
	// has ended them, so that they can be found. Repeated it counts once.
	AddWithin(ctx context.Context, key IndexKey, m Member, issued, expires time.Time, limit Limit) (over []Member, err error)
	// DropIndex removes a member, if it is there.
	DropIndex(ctx context.Context, key IndexKey, id ID) error
	// Members lists an index, in no order.
	Members(ctx context.Context, key IndexKey) ([]Member, error)
	// MarkIndex sets the index's mark to issued for keep, unless it has a later one, and lists the members, in one step (docs/engine.md).
	MarkIndex(ctx context.Context, key IndexKey, issued time.Time, keep time.Duration) ([]Member, error)

	// Lock takes the lock of id's refresh token for owner, or keeps it if owner has it already; it is free again after lease.
	Lock(ctx context.Context, id ID, owner WriteID, lease time.Duration) (bool, error)
	// Unlock frees the lock if owner still has it.
	Unlock(ctx context.Context, id ID, owner WriteID) error

	// Claim takes a name for owner, once for all; the name is remembered for keep. It answers true to the first owner, and to that owner again.
	Claim(ctx context.Context, name string, owner WriteID, keep time.Duration) (bool, error)

	// Listen begins to hear what Create, Update, Prolong and End announce, from before it returns. ctx bounds the beginning only. The caller closes
	// the Listener before the store.
	Listen(ctx context.Context) (Listener, error)

	// Check reports whether the store can serve: reachable, and set up so that it loses nothing.
	Check(ctx context.Context) error
	// Close releases the store's connections. The store is not usable afterwards.
	Close() error
}

// Listener hears the writes of every process. It never drops one and goes on: what it cannot hear for certain ends it with an error. Ping
// and Receive may be called at the same time, each by one goroutine.
type Listener interface {
	// Ping asks for a Pong with this payload, which is not empty and not repeated. The Pong comes after every
	// write that took place before Ping was called, whatever server it was on.
	Ping(ctx context.Context, payload string) error
	// Receive waits for what is next. After an error nothing more is heard: make a new Listener.
	Receive(ctx context.Context) (Event, error)
	// Close ends it, and a Receive that waits.
	Close() error
}

// Event is what a Listener heard: a write, or where Pong is not empty, the answer to a Ping.
type Event struct {
	// ID and Version are the session that was written and its version now; 0 means that it ended. The same write may be heard more than once, also
	// later than a newer one: by the first time all that matters has been heard.
	ID      ID
	Version uint64
	// Reason is why it ended, where that was announced, too.
	Reason string
	// Prolonged is a Prolong: Version means nothing then.
	Prolonged bool
	// Pong is the payload of an answered Ping.
	Pong string
}
