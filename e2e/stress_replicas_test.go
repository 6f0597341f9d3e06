package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloakroom/e2e/stack"
)

// member is one process of a replica, with what befell it.
type member struct {
	*stack.Replica
	log string

	mu       sync.Mutex
	troubled []span
	frozen   bool
}

// span is when a member could not answer. A zero end is for good.
type span struct{ from, to time.Time }

// trouble begins a span, or ends the last one.
func (m *member) trouble(frozen, over bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.frozen = frozen; over {
		m.troubled[len(m.troubled)-1].to = time.Now()
		return
	}
	m.troubled = append(m.troubled, span{from: time.Now()})
}

// wasTroubled reports whether something befell the member since a time.
func (m *member) wasTroubled(since time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.troubled {
		if s.to.IsZero() || s.to.After(since) {
			return true
		}
	}
	return false
}

// stands reports whether the member is stopped.
func (m *member) stands() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.frozen
}

// fleet is the two replicas, each one process after the other.
type fleet struct {
	t     *testing.T
	stack *stack.Stack
	front *front
	dir   string
	ended sync.WaitGroup // those that were told to

	starting sync.Mutex
	mu       sync.Mutex
	now      [2]*member
	all      []*member
	struck   map[string]int // how often what was done
}

func (f *fleet) at(side int) *member {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now[side]
}

// healthy is a member that is not stopped, the side's own if possible; nil if there is none.
func (f *fleet) healthy(side int) *member {
	for _, m := range []*member{f.at(side), f.at(1 - side)} {
		if m != nil && !m.stands() {
			return m
		}
	}
	return nil
}

// start starts the side's next process. One at a time: front tells them apart by that.
func (f *fleet) start(ctx context.Context, side int) error {
	f.starting.Lock()
	defer f.starting.Unlock()
	name := fmt.Sprintf("replica-%d", len(f.stack.Replicas)+1)
	f.front.start(name)
	log := filepath.Join(f.dir, name+".log")
	r, err := f.stack.StartLoggingReplica(ctx, log)
	if err != nil {
		return err
	}
	err = stack.Eventually(ctx, name+" is ready", func() bool {
		status, _, err := r.Get(ctx, "/readyz")
		return err == nil && status == 200
	})
	m := &member{Replica: r, log: log}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now[side] = m
	f.all = append(f.all, m)
	return err
}

// catch waits until the trap has caught something, and a little for more.
func (f *fleet) catch(ctx context.Context, m *member, kills bool) *trap {
	t := f.front.set(m.Name, kills)
	limit := time.NewTimer(10 * time.Second)
	defer limit.Stop()
	for range cap(t.caught) {
		select {
		case <-t.caught:
			limit.Reset(200 * time.Millisecond)
		case <-limit.C:
		case <-ctx.Done():
		}
	}
	f.front.shut(m.Name)
	return t
}

// kill kills the side's process in the midst of refreshes, and starts another.
func (f *fleet) kill(ctx context.Context, side int) {
	m := f.at(side)
	t := f.catch(ctx, m, true)
	m.trouble(false, false)
	from := time.Now()
	if err := m.Kill(); err != nil {
		f.t.Errorf("kill %s: %v", m.Name, err)
	}
	f.front.strike(m.Name, killed, from)
	close(t.struck)
	close(t.over)
	f.count(killed)
	if err := f.start(ctx, side); err != nil {
		f.t.Errorf("after a kill: %v", err)
	}
}

// freeze stops the side's process in the midst of refreshes. thaw lets it go on.
func (f *fleet) freeze(ctx context.Context, side int) (thaw func()) {
	m := f.at(side)
	t := f.catch(ctx, m, false)
	m.trouble(true, false)
	from := time.Now()
	f.signal(m, syscall.SIGSTOP)
	close(t.struck)
	f.count(stopped)
	return func() {
		f.front.strike(m.Name, stopped, from)
		f.front.stop(m.Name, span{from, time.Now()})
		f.signal(m, syscall.SIGCONT)
		m.trouble(false, true)
		close(t.over)
	}
}

// replace starts another process for the side, and tells the one before to end, as a rolling update does. It must end cleanly.
func (f *fleet) replace(ctx context.Context, side int) {
	m := f.at(side)
	if err := f.start(ctx, side); err != nil {
		f.t.Errorf("replace: %v", err)
	}
	m.trouble(false, false)
	f.signal(m, syscall.SIGTERM)
	f.count("replica replaced")
	f.ended.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if code, err := m.Wait(ctx); err != nil || code != 0 {
			f.t.Errorf("%s was told to end, and ended with %d, %v", m.Name, code, err)
		}
	})
}

func (f *fleet) signal(m *member, s syscall.Signal) {
	if err := m.Signal(s); err != nil {
		f.t.Errorf("signal %s: %v", m.Name, err)
	}
}

func (f *fleet) count(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.struck[what]++
}

// cycleTime is how long a cycle takes.
const cycleTime = 20 * time.Second

// cycle does everything once that may befall replicas: one is stopped for longer than a lease, the other is killed meanwhile, then one is replaced.
func (f *fleet) cycle(ctx context.Context, dice *rand.Rand) {
	begin, side := time.Now(), dice.IntN(2)
	upTo := func(d time.Duration) time.Duration { return time.Duration(dice.Int64N(int64(d))) }
	wait(ctx, time.Second+upTo(time.Second))
	thaw := f.freeze(ctx, side)
	since := time.Now()
	wait(ctx, time.Second+upTo(6*time.Second))
	f.kill(ctx, 1-side)
	wait(ctx, time.Until(since.Add(lease+time.Second)))
	thaw()
	wait(ctx, upTo(2*time.Second))
	f.replace(ctx, dice.IntN(2))
	wait(ctx, time.Until(begin.Add(cycleTime)))
}
