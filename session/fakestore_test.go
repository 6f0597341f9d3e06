package session

import (
	"context"
	"slices"
	"sync"
	"time"
)

// fakeStore is a small store that keeps the contract, for tests that need to see or break what a store does.
type fakeStore struct {
	mu      *sync.Mutex // shared, with the maps, by all views
	records map[ID]kept
	marks   map[ID]fakeMark
	indexes map[IndexKey]*fakeIndex
	locks   map[ID]fakeLock
	claims  map[string]WriteID
	ears    map[*fakeEar]struct{}
	ops     []string // every call, in order
	// before runs before each call, without the store's lock; its error is the call's. after runs when the call has taken effect.
	before, after func(op string) error
}

// view is the same store as another process sees it: with connections of its own, that may break alone.
func (f *fakeStore) view() *fakeStore {
	v := *f
	v.ops, v.before, v.after = nil, nil, nil
	return &v
}

type kept struct {
	rec     Record
	expires time.Time
}

type fakeIndex struct {
	members map[ID]Member
	mark    time.Time
}

type fakeMark struct {
	until  time.Time
	reason string
}

type fakeLock struct {
	owner WriteID
	until time.Time
}

func newFakeStore() *fakeStore {
	return &fakeStore{
		mu: new(sync.Mutex), records: map[ID]kept{}, marks: map[ID]fakeMark{}, indexes: map[IndexKey]*fakeIndex{},
		locks: map[ID]fakeLock{}, claims: map[string]WriteID{}, ears: map[*fakeEar]struct{}{},
	}
}

// enter notes the call and takes the lock; the caller gives it back.
func (f *fakeStore) enter(ctx context.Context, op string) (func(), error) {
	f.mu.Lock()
	f.ops = append(f.ops, op)
	before := f.before
	f.mu.Unlock()
	if before != nil {
		if err := before(op); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	return f.mu.Unlock, nil
}

// breakWith makes every following call of the ops fail, or all without ops; nil repairs.
func (f *fakeStore) breakWith(err error, ops ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = func(op string) error {
		if len(ops) == 0 || slices.Contains(ops, op) {
			return err
		}
		return nil
	}
}

func (f *fakeStore) count(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, o := range f.ops {
		if o == op {
			n++
		}
	}
	return n
}

func (f *fakeStore) get(id ID) (kept, error) {
	k, ok := f.records[id]
	if !ok || !time.Now().Before(k.expires) {
		return kept{}, ErrNone
	}
	return k, nil
}

func (f *fakeStore) index(key IndexKey) *fakeIndex {
	if f.indexes[key] == nil {
		f.indexes[key] = &fakeIndex{members: map[ID]Member{}}
	}
	return f.indexes[key]
}

func (f *fakeStore) Read(ctx context.Context, id ID) (Record, error) {
	leave, err := f.enter(ctx, "read")
	if err != nil {
		return Record{}, err
	}
	defer leave()
	k, err := f.get(id)
	return k.rec, err
}

func (f *fakeStore) ReadTTL(ctx context.Context, id ID) (Record, time.Duration, error) {
	leave, err := f.enter(ctx, "read")
	if err != nil {
		return Record{}, 0, err
	}
	k, err := f.get(id)
	leave()
	if f.after != nil {
		if err := f.after("read"); err != nil {
			return Record{}, 0, err
		}
	}
	return k.rec, time.Until(k.expires), err
}

func (f *fakeStore) TTL(ctx context.Context, id ID) (time.Duration, error) {
	leave, err := f.enter(ctx, "ttl")
	if err != nil {
		return 0, err
	}
	defer leave()
	k, err := f.get(id)
	return time.Until(k.expires), err
}

func (f *fakeStore) Create(ctx context.Context, id ID, rec Record, expires time.Time) error {
	leave, err := f.enter(ctx, "create")
	if err != nil {
		return err
	}
	defer leave()
	if time.Now().Before(f.marks[id].until) {
		return ErrEnded
	}
	if k, err := f.get(id); err == nil {
		if k.rec.Write == rec.Write {
			return nil
		}
		return ErrConflict
	}
	f.records[id] = kept{rec, expires}
	f.announce(Event{ID: id, Version: rec.Version})
	return nil
}

func (f *fakeStore) Update(ctx context.Context, id ID, rec Record) error {
	leave, err := f.enter(ctx, "update")
	if err != nil {
		return err
	}
	defer leave()
	k, err := f.get(id)
	switch {
	case err != nil:
		return err
	case k.rec.Write == rec.Write:
		return nil
	case k.rec.Version+1 != rec.Version:
		return ErrConflict
	}
	k.rec = rec
	f.records[id] = k
	f.announce(Event{ID: id, Version: rec.Version})
	if f.after != nil {
		return f.after("update")
	}
	return nil
}

func (f *fakeStore) Touch(ctx context.Context, id ID, until time.Time) (bool, error) {
	leave, err := f.enter(ctx, "touch")
	if err != nil {
		return false, err
	}
	defer leave()
	k, err := f.get(id)
	if err != nil || !until.After(k.expires) {
		return false, nil
	}
	k.expires = until
	f.records[id] = k
	return true, nil
}

func (f *fakeStore) Prolong(ctx context.Context, id ID, until time.Time) (bool, error) {
	moved, err := f.Touch(ctx, id, until)
	if moved {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.announce(Event{ID: id, Prolonged: true})
	}
	return moved, err
}

func (f *fakeStore) Why(ctx context.Context, id ID) (string, error) {
	leave, err := f.enter(ctx, "why")
	if err != nil {
		return "", err
	}
	defer leave()
	if m := f.marks[id]; time.Now().Before(m.until) {
		return m.reason, nil
	}
	return "", ErrNone
}

func (f *fakeStore) End(ctx context.Context, id ID, mark time.Duration, reason string) (bool, error) {
	leave, err := f.enter(ctx, "end")
	if err != nil {
		return false, err
	}
	defer leave()
	_, err = f.get(id)
	delete(f.records, id)
	if m := f.marks[id]; time.Now().Before(m.until) {
		reason = m.reason
	}
	f.marks[id] = fakeMark{time.Now().Add(mark), reason}
	f.announce(Event{ID: id, Reason: reason})
	return err == nil, nil
}

func (f *fakeStore) AddIndex(ctx context.Context, key IndexKey, m Member, issued, _ time.Time) error {
	leave, err := f.enter(ctx, "addindex")
	if err != nil {
		return err
	}
	defer leave()
	x := f.index(key)
	if !x.mark.Before(issued) {
		return ErrEnded
	}
	x.members[m.ID] = m
	return nil
}

func (f *fakeStore) AddWithin(ctx context.Context, key IndexKey, m Member, issued, expires time.Time, limit Limit) ([]Member, error) {
	panic("limits are tested on real stores")
}

func (f *fakeStore) TTLs(ctx context.Context, ids []ID) ([]time.Duration, error) {
	leave, err := f.enter(ctx, "ttls")
	if err != nil {
		return nil, err
	}
	defer leave()
	left := make([]time.Duration, len(ids))
	for i, id := range ids {
		if k, err := f.get(id); err == nil {
			left[i] = time.Until(k.expires)
		}
	}
	return left, nil
}

func (f *fakeStore) DropIndex(ctx context.Context, key IndexKey, id ID) error {
	leave, err := f.enter(ctx, "dropindex")
	if err != nil {
		return err
	}
	defer leave()
	delete(f.index(key).members, id)
	return nil
}

func (f *fakeStore) list(key IndexKey) (members []Member) {
	for _, m := range f.index(key).members {
		members = append(members, m)
	}
	return members
}

func (f *fakeStore) Members(ctx context.Context, key IndexKey) ([]Member, error) {
	leave, err := f.enter(ctx, "members")
	if err != nil {
		return nil, err
	}
	defer leave()
	return f.list(key), nil
}

func (f *fakeStore) MarkIndex(ctx context.Context, key IndexKey, issued time.Time, _ time.Duration) ([]Member, error) {
	leave, err := f.enter(ctx, "markindex")
	if err != nil {
		return nil, err
	}
	defer leave()
	if x := f.index(key); issued.After(x.mark) {
		x.mark = issued
	}
	return f.list(key), nil
}

func (f *fakeStore) Lock(ctx context.Context, id ID, owner WriteID, lease time.Duration) (bool, error) {
	leave, err := f.enter(ctx, "lock")
	if err != nil {
		return false, err
	}
	defer leave()
	if l := f.locks[id]; time.Now().Before(l.until) && l.owner != owner {
		return false, nil
	}
	f.locks[id] = fakeLock{owner, time.Now().Add(lease)}
	return true, nil
}

func (f *fakeStore) Unlock(ctx context.Context, id ID, owner WriteID) error {
	leave, err := f.enter(ctx, "unlock")
	if err != nil {
		return err
	}
	defer leave()
	if f.locks[id].owner == owner {
		delete(f.locks, id)
	}
	return nil
}

func (f *fakeStore) Claim(ctx context.Context, name string, owner WriteID, _ time.Duration) (bool, error) {
	leave, err := f.enter(ctx, "claim")
	if err != nil {
		return false, err
	}
	defer leave()
	if o, ok := f.claims[name]; ok && o != owner {
		return false, nil
	}
	f.claims[name] = owner
	return true, nil
}

func (f *fakeStore) Check(ctx context.Context) error {
	leave, err := f.enter(ctx, "check")
	if err == nil {
		leave()
	}
	return err
}

func (f *fakeStore) Close() error { return nil }
