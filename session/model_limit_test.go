package session_test

import "time"

// The limit of sessions per user, in the model.

// rivals are the other sign-ins of v's user that say yes.
func (w *world) rivals(v *visitor, yes func(start *op) bool) (n int) {
	for _, o := range w.ops {
		if o.starts != nil && o.starts != v && o.starts.user == v.user && o.begun && yes(o) {
			n++
		}
	}
	return n
}

// within holds that a user has no more sessions than the limit allows, once a sign-in was answered well. What is not answered yet does not count.
func (w *world) within(v *visitor) {
	if w.set.limit == 0 || w.undone > 0 {
		return
	}
	n := 0
	for _, other := range w.visitors {
		if other.user != v.user || other.request == nil {
			continue
		}
		if _, err := w.store.Read(w.t.Context(), other.id); err == nil {
			n++
		}
	}
	if n > w.set.limit {
		w.broken("%s has %d sessions, more than %d", v.user, n, w.set.limit)
	}
}

// crowdedOut tells whether as many sign-ins came later as may be: then v is too many.
func (w *world) crowdedOut(v *visitor) bool {
	if w.set.limit == 0 || w.set.refuse {
		return false
	}
	own := w.startOf(v)
	return own != nil && w.rivals(v, func(o *op) bool { return !o.done || !o.over.Before(own.at) }) >= w.set.limit
}

// full tells whether so many others may be there that a sign-in may be refused: those that are, those under way, and the dead for a while.
func (w *world) full(v *visitor) bool {
	own := w.startOf(v)
	return w.set.refuse && own != nil && w.rivals(v, func(o *op) bool {
		there := o.starts.seen && (!o.starts.gone || !o.starts.goneAt.Before(own.at))
		return there || !o.done || o.over.After(own.at.Add(-2*time.Minute))
	}) >= w.set.limit
}

func (w *world) startOf(v *visitor) *op {
	for _, o := range w.ops {
		if o.starts == v {
			return o
		}
	}
	return nil
}
