package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"
)

// writer is how sessions are written: scs makes the ticket and carries the session from a load to its commit,
// the store adapter below seals it and turns scs' unconditional commit into a create or a compare-and-set.
//
// Left to itself, scs writes a session back that was ended meanwhile, or an old one over a newer. So:
//
//   - the version that was read travels in the session, and the adapter writes only that version's successor;
//   - a loaded context is used for one write sequence and never handed out, since Load on
//     a context that has data returns that data unread;
//   - an empty token is refused, since scs would mint a new session where the old one is gone;
//   - IdleTimeout is 0, or scs would mark every load as a change; HashTokenInStore is off, the adapter hashes;
//   - the deadline is set again after RenewToken, which resets it.
type writer struct{ scs *scs.SessionManager }

// What a session and the name of its write are called among scs' values.
const (
	valueSession = "session"
	valueWrite   = "write"
)

// newWriter does not use scs.New, which starts a memory store with a goroutine that nobody waits for.
func newWriter(a *adapter, lifetime time.Duration) *writer {
	return &writer{scs: &scs.SessionManager{Lifetime: lifetime, Store: a, Codec: codec{}}}
}

// begin returns a context for writing a new session, and its ticket, fresh from scs' random source.
func (w *writer) begin(ctx context.Context, deadline time.Time) (context.Context, string, error) {
	ctx, err := w.scs.Load(ctx, "")
	if err != nil {
		return nil, "", err
	}
	if err := w.scs.RenewToken(ctx); err != nil { // has no old token to delete
		return nil, "", fmt.Errorf("make ticket: %w", err)
	}
	w.scs.SetDeadline(ctx, deadline)
	return ctx, w.scs.Token(ctx), nil
}

// load reads the session of a ticket, straight from the store, and returns a context for writing it. ErrNone if it is gone.
func (w *writer) load(ctx context.Context, ticket string) (context.Context, *Session, error) {
	ctx, err := w.scs.Load(ctx, ticket)
	if err != nil {
		return nil, nil, fmt.Errorf("read session: %w", err)
	}
	s, ok := w.scs.Get(ctx, valueSession).(*Session)
	if w.scs.Token(ctx) == "" || !ok {
		return nil, nil, ErrNone
	}
	_, s.id, _ = parseTicket(ticket) // freshly decoded: nobody else has it yet
	s.ticket = ticket
	return ctx, s, nil
}

// commit writes s over the version that it was read at, and returns it at its new version. ctx comes from begin or load, or is derived from theirs.
// ErrNone, ErrConflict and ErrEnded are the store's. Repeated with the same write after an error it counts once.
func (w *writer) commit(ctx context.Context, s *Session, write WriteID) (*Session, error) {
	if w.scs.Token(ctx) == "" {
		return nil, ErrNone
	}
	w.scs.Put(ctx, valueSession, s)
	w.scs.Put(ctx, valueWrite, write)
	if _, _, err := w.scs.Commit(ctx); err != nil {
		return nil, fmt.Errorf("write session: %w", err)
	}
	next := *s
	next.version++
	return &next, nil
}

// codec is scs' codec: it makes and reads frames.
type codec struct{}

// Encode implements scs.Codec.
func (codec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	s, ok := values[valueSession].(*Session)
	if !ok {
		return nil, errors.New("encode session: there is none")
	}
	write, _ := values[valueWrite].(WriteID)
	content, err := encode(s)
	if err != nil {
		return nil, err
	}
	return frame{version: s.version, write: write, deadline: deadline, content: content}.marshal(), nil
}

// Decode implements scs.Codec.
func (codec) Decode(b []byte) (time.Time, map[string]any, error) {
	f, err := parseFrame(b)
	if err != nil {
		return time.Time{}, nil, err
	}
	s, err := decode(f.content)
	if err != nil {
		return time.Time{}, nil, err
	}
	s.version, s.Deadline = f.version, f.deadline
	return f.deadline, map[string]any{valueSession: s}, nil
}

// adapter is scs' store: it seals, and writes by compare-and-set.
type adapter struct {
	store      Store
	seal       *sealer
	idle       time.Duration
	now        func() time.Time
	unreadable func(ID, error)
	wrote      func(ID, uint64)                    // hears of every version that this process wrote, before it is announced
	stored     func(string, ticketKey, ID, Record) // gets every later version that this process has stored
}

// FindCtx implements scs.CtxStore. A session that does not open is not found, and its finding an alarm.
func (a *adapter) FindCtx(ctx context.Context, ticket string) ([]byte, bool, error) {
	key, id, ok := parseTicket(ticket)
	if !ok {
		return nil, false, nil
	}
	rec, err := a.store.Read(ctx, id)
	switch {
	case errors.Is(err, ErrCorrupt):
		a.unreadable(id, errDamaged)
		return nil, false, nil
	case errors.Is(err, ErrNone):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	}
	content, deadline, err := a.seal.open(key, id, rec.Version, rec.Sealed)
	if err == nil {
		_, err = decode(content) // scs would answer an error where we want "not found"
	}
	if err != nil {
		a.unreadable(id, err)
		return nil, false, nil
	}
	if !a.now().Before(deadline) {
		return nil, false, nil
	}
	return frame{version: rec.Version, deadline: deadline, content: content}.marshal(), true, nil
}

// CommitCtx implements scs.CtxStore.
func (a *adapter) CommitCtx(ctx context.Context, ticket string, b []byte, deadline time.Time) error {
	f, err := parseFrame(b)
	if err != nil {
		return err
	}
	key, id, ok := parseTicket(ticket)
	if !ok {
		return ErrNone
	}
	sealed, err := a.seal.seal(key, id, f.version+1, deadline, f.content)
	if err != nil {
		return err
	}
	rec := Record{Version: f.version + 1, Write: f.write, Sealed: sealed}
	if f.version > 0 {
		err := a.store.Update(ctx, id, rec)
		a.wrote(id, rec.Version) // after an error, too: it may have been written all the same
		if err == nil {
			a.stored(ticket, key, id, rec)
		}
		return err
	}
	return a.store.Create(ctx, id, rec, earlier(a.now().Add(a.idle), deadline))
}

// errNoContext is answered by the methods that scs uses only with stores that know no contexts.
var errNoContext = errors.New("session store needs a context")

// DeleteCtx implements scs.CtxStore. Sessions end by Manager.End, with a mark, never through scs.
func (*adapter) DeleteCtx(context.Context, string) error {
	return errors.New("sessions are not deleted through scs")
}

// Find implements scs.Store.
func (*adapter) Find(string) ([]byte, bool, error) { return nil, false, errNoContext }

// Commit implements scs.Store.
func (*adapter) Commit(string, []byte, time.Time) error { return errNoContext }

// Delete implements scs.Store.
func (*adapter) Delete(string) error { return errNoContext }

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
