package up

import "sync"

// Gate stops the requests of one path until the test releases them.
type Gate struct {
	arrived chan struct{}
	release chan struct{}
	cut     chan struct{}
	once    sync.Once
}

// Hold makes the requests whose path ends in name wait. Only hold, sse and what is below silent, begun and upload ask.
func (u *Upstream) Hold(name string) *Gate {
	g := &Gate{arrived: make(chan struct{}, 1024), release: make(chan struct{}), cut: make(chan struct{}, 1024)}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.gates[name] = g
	return g
}

// Arrived yields once for every request that came to the gate.
func (g *Gate) Arrived() <-chan struct{} { return g.arrived }

// Cut yields once for every request that broke off at the gate.
func (g *Gate) Cut() <-chan struct{} { return g.cut }

// Release lets everything through, now and later.
func (g *Gate) Release() { g.once.Do(func() { close(g.release) }) }

// wait stops the request at its gate, if there is one, until it is released or the client is gone.
func (u *Upstream) wait(name string, gone <-chan struct{}) {
	if g := u.gate(name); g != nil {
		g.pass(gone)
	}
}

// gate returns the gate of that name, or nil.
func (u *Upstream) gate(name string) *Gate {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.gates[name]
}
