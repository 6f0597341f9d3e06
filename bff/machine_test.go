package bff

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/bff/provider"
	"cloakroom/session"
)

// till is a provider's token endpoint for client credentials.
type till struct {
	mu    sync.Mutex
	calls int
	err   error
}

func (p *till) fetch(context.Context) (provider.Tokens, error) {
	time.Sleep(time.Second)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	now := time.Now()
	return provider.Tokens{Access: fmt.Sprint("token ", p.calls), Issued: now, Expires: now.Add(5 * time.Minute)}, p.err
}

func (p *till) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

// inTill runs a test with a cache in front of a till; want is what the next request must get.
func inTill(t *testing.T, test func(m *machineTokens, p *till, want func(refused, token string, err error))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, err := newMachineTokens(slog.New(slog.DiscardHandler), time.Now)
		if err != nil {
			t.Fatal(err)
		}
		p := &till{}
		test(m, p, func(refused, token string, err error) {
			t.Helper()
			if got, gotErr := m.get(context.Background(), holdKey{key: "jobs"}, refused, p.fetch); got != token || !errors.Is(gotErr, err) {
				t.Errorf("got %q, %v; want %q, %v", got, gotErr, token, err)
			}
		})
		m.close()
	})
}

func TestOwnTokenIsFetchedOncePerExpiry(t *testing.T) {
	inTill(t, func(m *machineTokens, p *till, want func(string, string, error)) {
		for expiry := range 3 {
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() { want("", fmt.Sprint("token ", expiry+1), nil) })
			}
			all.Wait()
			time.Sleep(4*time.Minute + 40*time.Second) // due, and alive
		}
		if _, err := m.get(context.Background(), holdKey{key: "other"}, "", p.fetch); err != nil || p.calls != 4 {
			t.Errorf("%d calls, %v", p.calls, err)
		}
	})
}

// A provider that is down is asked once in five seconds; the old token serves while it lives. A refusal counts at once.
func TestOwnTokenCannotBeHad(t *testing.T) {
	inTill(t, func(m *machineTokens, p *till, want func(string, string, error)) {
		want("", "token 1", nil)
		time.Sleep(4*time.Minute + 40*time.Second)
		p.fail(provider.ErrUnavailable)
		for range 3 {
			want("", "token 1", nil)
		}
		time.Sleep(time.Minute)
		for range 3 {
			want("", "", provider.ErrUnavailable)
		}
		if p.calls != 3 {
			t.Errorf("%d calls", p.calls)
		}
		time.Sleep(machinePause)
		p.fail(nil)
		want("", "token 4", nil)
		time.Sleep(4*time.Minute + 40*time.Second)
		p.fail(session.ErrGrantRefused)
		want("", "", session.ErrGrantRefused)
	})
}

func TestOwnTokenIsRefusedByAnUpstream(t *testing.T) {
	inTill(t, func(m *machineTokens, p *till, want func(string, string, error)) {
		want("", "token 1", nil)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { want("token 1", "token 2", nil) })
		}
		all.Wait()
		want("token 1", "token 2", nil)
		want("token 2", "token 2", nil) // a minute has not passed
		time.Sleep(machineForce)
		want("token 2", "token 3", nil)
	})
}

// A token that an upstream refused is not the end: what the provider then refuses is asked for again after the pause, however long the old token would have lived.
func TestOwnTokenIsAskedForAgainAfterARefusal(t *testing.T) {
	inTill(t, func(m *machineTokens, p *till, want func(string, string, error)) {
		want("", "token 1", nil)
		p.fail(session.ErrGrantRefused)
		want("token 1", "", session.ErrGrantRefused)
		p.fail(nil)
		want("", "", session.ErrGrantRefused) // for five seconds
		time.Sleep(machinePause)
		want("", "token 3", nil)
	})
}

// A fetch that panics is a failure of that fetch: whoever waits gets an answer, and the process lives.
func TestOwnTokensFetchPanics(t *testing.T) {
	inTill(t, func(m *machineTokens, p *till, want func(string, string, error)) {
		var logged strings.Builder
		m.log = slog.New(slog.NewTextHandler(&logged, nil))
		_, err := m.get(context.Background(), holdKey{key: "jobs"}, "", func(context.Context) (provider.Tokens, error) { panic("ey-secret") })
		if !errors.Is(err, errFetchPanicked) || strings.Contains(logged.String(), "ey-secret") || !strings.Contains(logged.String(), "stack") {
			t.Errorf("got %v, logged %s", err, &logged)
		}
		time.Sleep(machinePause)
		want("", "token 1", nil)
	})
}

// Who asks while the server stops gets no fetch that nobody would wait for.
func TestOwnTokenWhileTheServerStops(t *testing.T) {
	inTill(t, func(m *machineTokens, p *till, want func(string, string, error)) {
		m.close()
		want("", "", provider.ErrUnavailable)
		if p.calls != 0 {
			t.Errorf("%d calls", p.calls)
		}
	})
}
