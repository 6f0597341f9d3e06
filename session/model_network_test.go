package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloakroom/session"
)

// The network of the model (model_test.go). Every call to the store or the provider becomes a message that waits until the scheduler says what becomes of it: it
// arrives and is answered, its answer is lost, it never arrives, it arrives when its sender has given up or died.

// message is one call on its way.
type message struct {
	from  *process
	key   string   // what is asked, by whom, about which session: the order of choices follows it, and the trace shows it
	about *visitor // nil for what is about no single session
	// take takes effect at the other end, once, and says what came of it.
	take   func() (string, error)
	taken  bool
	result string
	err    error
	answer chan error // has room for the one answer
	left   bool       // nobody waits for the answer any more
	flight bool       // it is part of a refresh, which is nobody's request
}

var (
	errLost = errors.New("connection reset")
	errOver = errors.New("the model is over")
)

// toProvider tells the one kind of message that is not for the store.
func (m *message) toProvider() bool { return strings.HasPrefix(m.key, "refresh") }

// send parks the caller until the scheduler answers. A dead process' callers stay where they are until the world is over.
func (p *process) send(ctx context.Context, what string, id session.ID, take func() (string, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) { // its timer, and its parent's, fire in this very moment, in any order
		return context.DeadlineExceeded
	}
	m := p.w.park(ctx, p, what, id, take)
	select {
	case err := <-m.answer:
		return err
	case <-p.w.over:
		return errOver
	case <-ctx.Done():
	}
	if p.w.leave(m) {
		return ctx.Err()
	}
	<-p.w.over
	return errOver
}

// park puts a message on its way, unless its sender is dead: then it goes nowhere.
func (w *world) park(ctx context.Context, p *process, what string, id session.ID, take func() (string, error)) *message {
	w.mu.Lock()
	defer w.mu.Unlock()
	o, _ := ctx.Value(opKey{}).(*op)
	v := w.visitorOf(o, id)
	m := &message{from: p, about: v, take: take, answer: make(chan error, 1), key: what, flight: o == nil}
	if v != nil {
		m.key += " " + v.name
	}
	if o != nil {
		m.key += " " + o.name
	}
	if p.dead {
		return m
	}
	w.parked = append(w.parked, m)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return m
}

// leave is for a sender whose time is up. It answers false to a dead one.
func (w *world) leave(m *message) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	m.left = true
	if m.taken {
		w.drop(m)
	}
	if m.from.dead {
		return false
	}
	w.fault(m)
	w.note("%s: %s: nobody waits any more", m.from.name, m.key)
	m.from.saw(m.key, "timeout", w.elapsed())
	return true
}

// visitorOf finds whom a store's key belongs to; a key that is new belongs to the sign-in under way.
func (w *world) visitorOf(o *op, id session.ID) *visitor {
	if id == "" {
		return nil
	}
	for _, v := range w.visitors {
		if v.id == id {
			return v
		}
	}
	if o != nil && o.starts != nil && o.starts.id == "" {
		o.starts.id = id
		return o.starts
	}
	return nil
}

// link is the store as one process reaches it.
type link struct {
	p *process
	session.Store
}

func (l link) ask(ctx context.Context, what string, id session.ID, take func() error) error {
	return l.p.send(ctx, what, id, func() (string, error) {
		err := take()
		return fmt.Sprint(err), err
	})
}

func (l link) Read(ctx context.Context, id session.ID) (rec session.Record, err error) {
	err = l.p.send(ctx, "read", id, func() (string, error) {
		var err error
		rec, err = l.p.w.store.Read(context.Background(), id)
		return fmt.Sprint(rec.Version, err), err
	})
	return rec, err
}

func (l link) TTL(ctx context.Context, id session.ID) (left time.Duration, err error) {
	err = l.ask(ctx, "ttl", id, func() (err error) { left, err = l.p.w.store.TTL(context.Background(), id); return err })
	return left, err
}

func (l link) ReadTTL(ctx context.Context, id session.ID) (rec session.Record, left time.Duration, err error) {
	err = l.p.send(ctx, "readttl", id, func() (string, error) {
		var err error
		rec, left, err = l.p.w.store.ReadTTL(context.Background(), id)
		return fmt.Sprint(rec.Version, left, err), err
	})
	l.learn(id, isNone(err))
	return rec, left, err
}

func (l link) TTLs(ctx context.Context, ids []session.ID) (left []time.Duration, err error) {
	err = l.p.send(ctx, "ttls", "", func() (string, error) {
		var err error
		left, err = l.p.w.store.TTLs(context.Background(), ids)
		return fmt.Sprint(left, err), err
	})
	return left, err
}

func (l link) Create(ctx context.Context, id session.ID, rec session.Record, expires time.Time) error {
	return l.ask(ctx, "create", id, func() error {
		l.p.w.bounded("create", expires, config().IdleTimeout)
		err := l.p.w.store.Create(context.Background(), id, rec, expires)
		l.p.w.lives(id, expires, err == nil)
		if err == nil {
			l.p.w.announce(id, rec.Version)
		}
		return err
	})
}

func (l link) Update(ctx context.Context, id session.ID, rec session.Record) error {
	return l.ask(ctx, "update", id, func() error {
		err := l.p.w.store.Update(context.Background(), id, rec)
		if err == nil {
			l.p.w.announce(id, rec.Version)
		}
		return err
	})
}

// learn notes that a process knows of an end.
func (l link) learn(id session.ID, ended bool) {
	l.p.w.mu.Lock()
	defer l.p.w.mu.Unlock()
	if ended {
		l.p.knows[id] = true
	}
}

func (l link) Touch(ctx context.Context, id session.ID, until time.Time) (moved bool, err error) {
	err = l.p.send(ctx, "touch", id, func() (string, error) {
		l.p.w.bounded("touch", until, config().IdleTimeout)
		var err error
		moved, err = l.p.w.store.Touch(context.Background(), id, until)
		l.p.w.lives(id, until, moved)
		return fmt.Sprint(moved, err), err
	})
	return moved, err
}

// Prolong is to the model what Touch is.
func (l link) Prolong(ctx context.Context, id session.ID, until time.Time) (moved bool, err error) {
	return l.Touch(ctx, id, until)
}

func (l link) End(ctx context.Context, id session.ID, mark time.Duration, reason string) (existed bool, err error) {
	err = l.p.send(ctx, "end", id, func() (string, error) {
		l.p.w.kept("end", mark, 10*time.Minute)
		var err error
		existed, err = l.p.w.store.End(context.Background(), id, mark, reason)
		l.p.w.announce(id, 0)
		return fmt.Sprint(existed, err), err
	})
	l.learn(id, err == nil)
	return existed, err
}

func (l link) AddIndex(ctx context.Context, key session.IndexKey, m session.Member, issued, expires time.Time) error {
	return l.ask(ctx, "addindex "+string(key[:4]), m.ID, func() error {
		l.p.w.bounded("addindex", expires, config().Lifetime)
		l.p.w.index(m.ID, key)
		return l.p.w.store.AddIndex(context.Background(), key, m, issued, expires)
	})
}

func (l link) AddWithin(ctx context.Context, key session.IndexKey, m session.Member, issued, expires time.Time, limit session.Limit) (over []session.Member, err error) {
	err = l.p.send(ctx, "addwithin "+string(key[:4]), m.ID, func() (string, error) {
		l.p.w.bounded("addwithin", expires, config().Lifetime)
		l.p.w.index(m.ID, key)
		var err error
		over, err = l.p.w.store.AddWithin(context.Background(), key, m, issued, expires, limit)
		return l.p.w.names(over) + fmt.Sprint(err), err
	})
	return over, err
}

func (l link) DropIndex(ctx context.Context, key session.IndexKey, id session.ID) error {
	return l.ask(ctx, "dropindex "+string(key[:4]), id, func() error { return l.p.w.store.DropIndex(context.Background(), key, id) })
}

func (l link) Members(ctx context.Context, key session.IndexKey) (all []session.Member, err error) {
	err = l.p.send(ctx, "members "+string(key[:4]), "", func() (string, error) {
		var err error
		all, err = l.p.w.store.Members(context.Background(), key)
		return l.p.w.names(all), err
	})
	return all, err
}

func (l link) MarkIndex(ctx context.Context, key session.IndexKey, issued time.Time, keep time.Duration) (all []session.Member, err error) {
	err = l.p.send(ctx, "markindex "+string(key[:4]), "", func() (string, error) {
		l.p.w.kept("markindex", keep, 10*time.Minute)
		if o, ok := ctx.Value(opKey{}).(*op); ok && o.end != nil {
			o.end.marks = append(o.end.marks, markName(key, issued))
		}
		var err error
		all, err = l.p.w.store.MarkIndex(context.Background(), key, issued, keep)
		return l.p.w.names(all), err
	})
	return all, err
}

func (l link) Lock(ctx context.Context, id session.ID, owner session.WriteID, lease time.Duration) (held bool, err error) {
	err = l.p.send(ctx, "lock", id, func() (string, error) {
		l.p.w.kept("lock", lease, time.Minute)
		var err error
		held, err = l.p.w.store.Lock(context.Background(), id, owner, lease)
		if held {
			l.p.w.locks[id] = fmt.Sprint(l.p.name, l.p.w.elapsed())
		}
		return fmt.Sprint(held, err), err
	})
	return held, err
}

func (l link) Unlock(ctx context.Context, id session.ID, owner session.WriteID) error {
	return l.ask(ctx, "unlock", id, func() error {
		l.p.w.locks[id] += "-" + l.p.name
		return l.p.w.store.Unlock(context.Background(), id, owner)
	})
}

func (l link) Claim(ctx context.Context, name string, owner session.WriteID, keep time.Duration) (first bool, err error) {
	err = l.ask(ctx, "claim "+name[:4], "", func() (err error) {
		l.p.w.kept("claim", keep, time.Hour)
		first, err = l.p.w.store.Claim(context.Background(), name, owner, keep)
		return err
	})
	return first, err
}
