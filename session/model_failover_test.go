package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cloakroom/session"
	"cloakroom/session/memory"
)

// Failovers in the model. The store has a replica that follows it, and takes its place without what has not arrived there: the last writes, acknowledged as they may be, are undone.

// fickle is a store that can lose its last writes. The world's lock guards it.
type fickle struct {
	session.Store // what is there now
	memory        *memory.Store
	at            time.Time // the time of the write that is made again; else zero
	writes        []write   // all that there were, in order
	copied        int       // so many are on the replica
	behind        bool      // the replica does not keep up
	waits         bool      // what must not be undone waits for the replica (redis.wait)
}

// write is one of them, so that it can be made again.
type write struct {
	name string // what it writes, and about what
	at   time.Time
	make func(session.Store)
}

func newFickle(waits bool) *fickle {
	f := &fickle{waits: waits}
	f.fresh()
	return f
}

func (f *fickle) fresh() {
	f.memory = memory.New(memory.Config{MaxSessions: 100}, memory.Now(func() time.Time {
		if !f.at.IsZero() {
			return f.at
		}
		return time.Now()
	}))
	f.Store = f.memory
}

// Close implements session.Store.
func (f *fickle) Close() error { return f.memory.Close() }

// add makes a write. Safe ones wait for the replica, where that is wanted.
func (f *fickle) add(name string, safe bool, make func(session.Store) error) error {
	if err := make(f.Store); err != nil {
		return err
	}
	f.writes = append(f.writes, write{name, time.Now(), func(s session.Store) { _ = make(s) }})
	switch {
	case !safe || !f.waits:
	case f.behind:
		return fmt.Errorf("%w: the replica is behind", session.ErrUnreplicated)
	default:
		f.copied = len(f.writes)
	}
	return nil
}

// failOver undoes all writes from number cut on, and returns them.
func (f *fickle) failOver(cut int) (undone []write) {
	undone = f.writes[cut:]
	f.writes = f.writes[:cut:cut]
	_ = f.memory.Close()
	f.fresh()
	for _, x := range f.writes {
		f.at = x.at
		x.make(f.Store)
	}
	f.at = time.Time{}
	f.copied, f.behind = cut, false
	return undone
}

// has tells whether a write was made and not undone.
func (f *fickle) has(name string) bool { return f.last(name) >= 0 }

// hasAll tells whether all of them were made and none undone.
func (f *fickle) hasAll(names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !f.has(name) })
}

// last is the number of the last such write, or -1.
func (f *fickle) last(name string) int {
	for i := len(f.writes) - 1; i >= 0; i-- {
		if f.writes[i].name == name {
			return i
		}
	}
	return -1
}

func (f *fickle) Create(ctx context.Context, id session.ID, rec session.Record, expires time.Time) error {
	return f.add("create "+string(id), false, func(s session.Store) error { return s.Create(ctx, id, rec, expires) })
}

// Update succeeds also where the replica is behind, as that of Redis does: the new tokens are nowhere else.
func (f *fickle) Update(ctx context.Context, id session.ID, rec session.Record) error {
	err := f.add("update "+string(id), true, func(s session.Store) error { return s.Update(ctx, id, rec) })
	if errors.Is(err, session.ErrUnreplicated) {
		return nil
	}
	return err
}

func (f *fickle) Touch(ctx context.Context, id session.ID, until time.Time) (moved bool, err error) {
	err = f.add("touch "+string(id), false, func(s session.Store) (err error) { moved, err = s.Touch(ctx, id, until); return err })
	return moved, err
}

func (f *fickle) End(ctx context.Context, id session.ID, mark time.Duration, reason string) (existed bool, err error) {
	err = f.add("end "+string(id), true, func(s session.Store) (err error) { existed, err = s.End(ctx, id, mark, reason); return err })
	return existed, err
}

func (f *fickle) AddIndex(ctx context.Context, key session.IndexKey, m session.Member, issued, expires time.Time) error {
	return f.add("index "+string(m.ID), true, func(s session.Store) error { return s.AddIndex(ctx, key, m, issued, expires) })
}

func (f *fickle) AddWithin(ctx context.Context, key session.IndexKey, m session.Member, issued, expires time.Time, limit session.Limit) (over []session.Member, err error) {
	err = f.add("index "+string(m.ID), true, func(s session.Store) (err error) {
		over, err = s.AddWithin(ctx, key, m, issued, expires, limit)
		return err
	})
	return over, err
}

func (f *fickle) DropIndex(ctx context.Context, key session.IndexKey, id session.ID) error {
	return f.add("drop "+string(id), false, func(s session.Store) error { return s.DropIndex(ctx, key, id) })
}

func (f *fickle) MarkIndex(ctx context.Context, key session.IndexKey, issued time.Time, keep time.Duration) (all []session.Member, err error) {
	err = f.add(markName(key, issued), true, func(s session.Store) (err error) { all, err = s.MarkIndex(ctx, key, issued, keep); return err })
	return all, err
}

func markName(key session.IndexKey, issued time.Time) string {
	return fmt.Sprint("mark ", key, issued.UnixMilli())
}

func (f *fickle) Lock(ctx context.Context, id session.ID, owner session.WriteID, lease time.Duration) (held bool, err error) {
	err = f.add("lock "+string(id), false, func(s session.Store) (err error) { held, err = s.Lock(ctx, id, owner, lease); return err })
	return held, err
}

func (f *fickle) Unlock(ctx context.Context, id session.ID, owner session.WriteID) error {
	return f.add("unlock "+string(id), false, func(s session.Store) error { return s.Unlock(ctx, id, owner) })
}

// failovers is what may become of the replica.
func (c *wanderer) failovers() (all []choice) {
	f := c.set.fickle
	if f == nil {
		return nil
	}
	if f.behind || f.copied < len(f.writes) {
		all = append(all, choice{"the replica has everything", 40, func() { f.behind, f.copied = false, len(f.writes) }, false})
	}
	if c.may.failovers == 0 {
		return all
	}
	if !f.behind {
		all = append(all, choice{"the replica falls behind", 30, func() { f.behind = true }, false})
	}
	return append(all, choice{"the replica takes over", 20, func() {
		c.may.failovers--
		c.failOver(f.copied+c.dice.IntN(len(f.writes)-f.copied+1), c.dice.IntN(2) == 0)
	}, false})
}

// failOver lets the replica take over at write number cut. Whoever listens hears it at once, or later by the silence.
func (w *world) failOver(cut int, heard bool) {
	f := w.set.fickle
	undone := f.failOver(cut)
	w.note("%d writes are undone", len(undone))
	for _, p := range w.processes {
		p.faults++
		switch {
		case p.ear == nil:
		case heard:
			p.ear.snap()
		default:
			p.ear.stranded = true
		}
	}
	for _, x := range undone {
		w.undo(x)
	}
	w.remember()
	w.lasting()
}

// undo notes what a lost write may cost, and is no mistake of ours: a session of which something was lost may be lost, and its tokens be sent again.
func (w *world) undo(x write) {
	w.undone++
	what, about, _ := strings.Cut(x.name, " ")
	v := w.visitorOf(nil, session.ID(about))
	if v == nil {
		return
	}
	v.excused = true
	switch what {
	case "update":
		v.undone = true
	case "index", "end": // what follows an end that is undone, cleans the index all the same
		v.unlisted = v.unlisted || !w.set.fickle.waits
	}
}

// remember forgets of what was known what a failover has made untrue.
func (w *world) remember() {
	for _, v := range w.visitors {
		for token, all := range w.sent {
			if strings.HasPrefix(token, v.name+"+") {
				w.unsend(v, all)
			}
		}
		if w.there(v) {
			v.gone = false
			for _, p := range w.processes {
				delete(p.knows, v.id)
			}
		}
	}
}

func (w *world) there(v *visitor) bool {
	_, err := w.store.Read(w.t.Context(), v.id)
	return v.id != "" && err == nil
}

// lasting holds that no acknowledged end was undone, if it waited for the replica. If not, it was no end.
func (w *world) lasting() {
	f := w.set.fickle
	if f == nil {
		return
	}
	kept := w.ends[:0:0]
	for _, e := range w.ends {
		switch {
		case f.hasAll(e.marks):
			kept = append(kept, e)
		case f.waits:
			w.broken("law 2: an acknowledged logout of %s %s is undone by a failover", e.user, e.sid)
		}
	}
	w.ends = kept
	for _, v := range w.visitors {
		if v.ended && !w.endLasts(v) {
			if f.waits {
				w.broken("law 2: the acknowledged end of %s is undone by a failover", v.name)
			}
			v.ended = false
			for _, o := range w.ops {
				o.before = o.before && o.about != v
			}
		}
	}
}

// unsend forgets of what was sent what nobody can know any more.
func (w *world) unsend(v *visitor, all []*sending) {
	for _, s := range all {
		s.lost = s.lost || s.write >= len(w.set.fickle.writes)
		s.back = s.back && !v.undone
	}
}

// endLasts tells whether an end is still on record.
func (w *world) endLasts(v *visitor) bool {
	if w.set.fickle.has("end " + string(v.id)) {
		return true
	}
	for _, e := range w.ends {
		if e.about(v) && !w.there(v) {
			return true
		}
	}
	return false
}
