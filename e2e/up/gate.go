package up

import "sync"

// Gate stops the requests of one path until the test releases them.
type Gate struct {
	arrived chan struct{}
	release chan struct{}
	once    sync.Once
}

// Hold makes the requests whose path ends in name wait. Only hold and sse ask.
func (u *Upstream) Hold(name string) *Gate {
	g := &Gate{arrived: make(chan struct{}, 1024), release: make(chan struct{})}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.gates[name] = g
	return g
}

// Arrived yields once for every request that came to the gate.
func (g *Gate) Arrived() <-chan struct{} { return g.arrived }

// Release lets everything through, now and later.
func (g *Gate) Release() { g.once.Do(func() { close(g.release) }) }

// wait stops the request at its gate, if there is one, until it is released or the client is gone.
func (u *Upstream) wait(name string, gone <-chan struct{}) {
	u.mu.Lock()
	g := u.gates[name]
	u.mu.Unlock()
	if g == nil {
		return
	}
	g.arrived <- struct{}{}
	select {
	case <-g.release:
	case <-gone:
	}
}
