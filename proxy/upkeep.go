package proxy

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Upkeep, the rule: connections are not used for ever, and what has changed outside is taken note of without a restart. Each server has one generation of
// pools at a time. When its connections are as old as `max_connection_age` allows, or a file of `tls` has changed, the next generation takes the new
// requests, and looks its name up anew; the connections of the one before are closed when the requests on them are done. So nobody is cut off.

const (
	upkeepEvery = time.Second
	filesEvery  = 2 * time.Second
)

// Run checks the servers' health and keeps connections and certificates fresh, until ctx ends. Without it everything else works. The tables before and
// after a reload may run side by side.
func (t *Table) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, u := range t.services {
		for _, s := range u.servers {
			if s.health.checked {
				wg.Go(func() { s.check(ctx) })
			}
		}
	}
	tick := time.NewTicker(upkeepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for _, u := range t.services {
				u.upkeep(now)
			}
		}
	}
}

// upkeep does what is due.
func (u *service) upkeep(now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	changed, err := u.tls.reread(now)
	if err != nil {
		u.log.Error("certificates of an upstream cannot be read; the ones before stay", "upstream", u.name, "err", err)
	} else if changed {
		u.log.Info("certificates of an upstream have changed", "upstream", u.name)
	}
	for _, s := range u.servers {
		p := s.current.Load()
		switch {
		case changed, p.stale(now) && p.open.Load() > 0:
			s.current.Store(s.newPools(now))
			s.retired = append(s.retired, p)
		}
		s.sweep()
	}
}

// sweep closes what has become idle of the generations before. The caller has the lock.
func (s *server) sweep() {
	kept := s.retired[:0]
	for _, p := range s.retired {
		p.closeIdle()
		if p.open.Load() > 0 {
			kept = append(kept, p)
		}
	}
	clear(s.retired[len(kept):])
	s.retired = kept
}

// stale reports whether p's connections may be too old. While it has none, p is as good as new.
func (p *pools) stale(now time.Time) bool { return now.After(p.until) }

// until is when pools that are made now are stale: not all at once.
func (u *service) until(now time.Time) time.Time {
	age := u.config.MaxConnectionAge
	return now.Add(age - time.Duration(rand.Int64N(int64(age)/10+1)))
}
