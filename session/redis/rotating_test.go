package redis_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloakroom/session"
	"cloakroom/session/redis"
)

// rotating is a provider at which each refresh token is good once. It also knows what the store did with each session, and so which second use of a token could
// have been avoided.
type rotating struct {
	slog.Handler // none: what it does not implement is not called
	refreshes    atomic.Int64

	mu     sync.Mutex
	used   map[string][]use
	stored map[session.ID][]stored
}

// use is one time that a refresh token was sent.
type use struct {
	at time.Time
	id session.ID
}

// stored is one update of a session.
type stored struct {
	at   time.Time
	safe bool // on enough replicas
}

func freshTokens(refresh string) session.Tokens {
	return session.Tokens{Access: "access of " + refresh, Refresh: refresh, Issued: time.Now(), Expires: time.Now().Add(tokenLife)}
}

func (p *rotating) refresh(_ context.Context, s *session.Session) (session.Refreshed, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	token := s.Tokens.Refresh
	p.used[token] = append(p.used[token], use{time.Now(), s.ID()})
	if len(p.used[token]) > 1 {
		return session.Refreshed{}, session.ErrInvalidGrant
	}
	p.refreshes.Add(1)
	return session.Refreshed{Tokens: freshTokens(token + "+")}, nil
}

// judge fails the test for each token that was used again although its successor had been stored safely, and counts the others.
func (p *rotating) judge(t *testing.T) (again int) {
	t.Helper()
	for _, uses := range p.used {
		if len(uses) < 2 {
			continue
		}
		again++
		var between []stored
		for _, w := range p.stored[uses[0].id] {
			if w.at.After(uses[0].at) && w.at.Before(uses[1].at) {
				between = append(between, w)
			}
		}
		for i, w := range between {
			if w.safe && i < len(between)-1 { // the last is the attempt of the second use
				t.Errorf("a refresh token was used again %s after its successor had been stored safely", uses[1].at.Sub(w.at))
			}
		}
	}
	return again
}

// watched notes which updates were safe.
type watched struct {
	*redis.Store
	by *rotating
}

// unsafe is the context's key of a bool that the log sets.
type unsafe struct{}

// Update is the store's.
func (w *watched) Update(ctx context.Context, id session.ID, rec session.Record) error {
	var short bool
	err := w.Store.Update(context.WithValue(ctx, unsafe{}, &short), id, rec)
	w.by.mu.Lock()
	defer w.by.mu.Unlock()
	w.by.stored[id] = append(w.by.stored[id], stored{time.Now(), err == nil && !short})
	return err
}

// Enabled implements slog.Handler: it hears of updates that are on too few replicas.
func (p *rotating) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle implements slog.Handler.
func (p *rotating) Handle(ctx context.Context, r slog.Record) error {
	if short, ok := ctx.Value(unsafe{}).(*bool); ok && r.Message == "refresh is on too few replicas" {
		*short = true
	}
	return nil
}
