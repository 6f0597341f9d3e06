package session_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"cloakroom/session"
)

// The rules that the model holds the engine to, at every step.

// markTime is how long a back-channel logout refuses sign-ins that are older; less, to be out of doubt, what a sign-in may take.
const markTime = 10*time.Minute - 30*time.Second

// read judges what a request got: nothing of an ended session (law 2), nothing of another user, and the session where it is and nothing went wrong.
func (w *world) read(o *op, s *session.Session, err error) {
	v := o.about
	o.err = err
	w.note("%s: %s got %v", o.p.name, o, err)
	switch {
	case err == nil && o.before && !w.stale(o):
		w.broken("law 2: %s read %s after its end was acknowledged", o.p.name, v.name)
	case err == nil && (s.Subject != v.user || s.ProviderSession != v.sid || s.ID() != v.id):
		w.broken("%s got %s's session for %s", o.p.name, s.Subject, v.name)
	case err == nil && s.Tokens.Access != "access "+v.name:
		w.broken("%s got token %q for %s", o.p.name, s.Tokens.Access, v.name)
	case isNone(err) && !w.meant(v) && !v.excused && time.Now().Before(v.expires.Add(-slack)):
		w.broken("%s: %s is signed out for no reason", o.p.name, v.name)
	case err != nil && !isNone(err) && !v.excused && !w.faulty(o, err):
		w.broken("%s: %s got %v although nothing went wrong", o.p.name, v.name, err)
	}
}

// acknowledged notes an end that was answered well: from now on it holds.
func (w *world) acknowledged(o *op, err error) {
	o.err = err
	w.note("%s: %s got %v", o.p.name, o, err)
	if err != nil {
		if !isNone(err) && !w.faulty(o, err) {
			w.broken("%s: %s got %v although nothing went wrong", o.p.name, o, err)
		}
		return
	}
	defer w.lasting()
	if o.end == nil {
		o.about.end()
		return
	}
	o.end.at = time.Now()
	w.ends = append(w.ends, o.end)
	for _, v := range w.visitors {
		if o.end.about(v) && v.begun(w) && !v.unlisted { // what a failover took from its index no logout finds
			v.end()
		}
	}
}

// end notes that v's end is acknowledged.
func (v *visitor) end() {
	if !v.ended {
		v.ended, v.endedAt = true, time.Now()
	}
}

// faulty tells whether something went wrong around an op that failed.
func (w *world) faulty(o *op, err error) bool {
	return o.p.faults != o.faults || o.ctx.Err() != nil || errors.Is(err, session.ErrUnreplicated)
}

// begun tells whether v's sign-in has.
func (v *visitor) begun(w *world) bool {
	for _, o := range w.ops {
		if o.starts == v {
			return o.begun
		}
	}
	return true
}

// started judges a sign-in: one that a logout was about must leave no session, even if the logout came first; an honest one must succeed.
func (w *world) started(o *op, answer *httptest.ResponseRecorder, err error) {
	v := o.starts
	o.err = err
	w.note("%s: %s got %v", o.p.name, o, err)
	refused := v.ended
	for _, e := range w.ends {
		refused = refused || e.about(v) && o.at.Sub(e.at) < markTime
	}
	switch {
	case err == nil && refused && !v.unlisted: // perhaps its answer came late: then there is no session any more
		v.end()
	case errors.Is(err, session.ErrEnded) && !w.meant(v):
		w.broken("the honest sign-in of %s was refused", v.name)
	case errors.Is(err, session.ErrTooMany) && w.full(v):
	case err != nil && !errors.Is(err, session.ErrEnded) && !w.faulty(o, err):
		w.broken("the sign-in of %s got %v although nothing went wrong", v.name, err)
	}
	cookies := answer.Result().Cookies()
	if err != nil {
		if len(cookies) > 0 {
			w.broken("the sign-in of %s failed and set a cookie", v.name)
		}
		return
	}
	v.request = httptest.NewRequest(http.MethodGet, "/", nil)
	for _, c := range cookies {
		v.request.AddCookie(c)
	}
	w.within(v)
}

// meant tells whether an end that is about v has at least begun.
func (w *world) meant(v *visitor) bool {
	for _, o := range w.ops {
		switch {
		case !o.begun:
		case o.end != nil && o.end.about(v):
			return true
		case o.about == v && (o.kind == "logout" || o.kind == "end"):
			return true
		}
	}
	return w.crowdedOut(v)
}

// check looks at the store after a step: what ended stays away, what is there can be found, what is gone had a reason.
func (w *world) check() {
	for _, v := range w.visitors {
		if v.id == "" {
			continue
		}
		_, err := w.store.Read(w.t.Context(), v.id)
		there := err == nil
		switch {
		case there && v.gone:
			w.broken("law 2: %s was gone and is back", v.name)
		case there && v.ended && v.request != nil:
			w.broken("law 2: %s is in the store after its end was acknowledged", v.name)
		case there:
			v.seen = true
			w.findable(v)
		case v.seen:
			if !v.gone {
				v.gone, v.goneAt = true, time.Now()
			}
			if v.request != nil && !w.meant(v) && !v.excused && time.Now().Before(v.expires.Add(-slack)) {
				w.broken("%s is lost for no reason", v.name)
			}
			if v.request != nil && !w.meant(v) && time.Now().Before(v.expires.Add(-slack)) && w.neverLeft(v) {
				w.broken("%s is lost although its refresh token never left", v.name)
			}
		}
	}
}

// neverLeft tells that no token of v was sent, and that this must be known: only one process met failures, and it lived on.
func (w *world) neverLeft(v *visitor) bool {
	for token, all := range w.sent {
		for _, s := range all {
			if strings.HasPrefix(token, v.name+"+") && !s.unsent {
				return false
			}
		}
	}
	faulty := 0
	for _, p := range w.processes {
		if p.faults > 0 {
			faulty++
		}
		if p.dead {
			return false
		}
	}
	return faulty <= 1
}

// findable holds that a session that is there is in all its indexes: a back-channel logout finds it.
func (w *world) findable(v *visitor) {
	if v.unlisted || w.set.limit > 0 && v.request == nil { // it came so late that its entry was dropped, and is undone
		return
	}
	if len(v.indexes) != 2 {
		w.broken("%s is in the store before it entered its indexes", v.name)
	}
	for _, key := range v.indexes {
		members, err := w.store.Members(w.t.Context(), key)
		if err != nil {
			w.broken("read index: %v", err)
		}
		found := false
		for _, m := range members {
			found = found || m.ID == v.id
		}
		if !found {
			w.broken("%s is in the store, but not in index %s", v.name, key[:4])
		}
	}
}

// index notes which indexes a session should be in.
func (w *world) index(id session.ID, key session.IndexKey) {
	v := w.visitorOf(nil, id)
	for _, k := range v.indexes {
		if k == key {
			return
		}
	}
	v.indexes = append(v.indexes, key)
}

// lives notes until when a session is in the store if nobody ends it.
func (w *world) lives(id session.ID, until time.Time, moved bool) {
	if v := w.visitorOf(nil, id); moved && v != nil {
		v.expires = until
	}
}

// bounded holds that what is written expires.
func (w *world) bounded(what string, until time.Time, most time.Duration) {
	if left := time.Until(until); until.IsZero() || left > most+maxSkew {
		w.broken("%s writes what lives for %v", what, left)
	}
}

// kept is bounded for a duration.
func (w *world) kept(what string, d, most time.Duration) {
	if d <= 0 || d > most {
		w.broken("%s writes what lives for %v", what, d)
	}
}

// names lists members by their visitors, in order; and puts the list in that order, which the stores leave open.
func (w *world) names(all []session.Member) string {
	order := func(m session.Member) string {
		if v := w.visitorOf(nil, m.ID); v != nil {
			return v.name
		}
		return string(m.ID)
	}
	var names []string
	for i := range all {
		for j := i; j > 0 && order(all[j]) < order(all[j-1]); j-- {
			all[j], all[j-1] = all[j-1], all[j]
		}
	}
	for _, m := range all {
		names = append(names, order(m))
	}
	return strings.Join(names, ",")
}
