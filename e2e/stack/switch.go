package stack

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Switch is a TCP port in front of others. As the public port it spreads connections over the replicas; in
// front of Redis, the provider and the upstream it plays outages: Cut, Refuse, Reset and Delay (outage.go).
type Switch struct {
	// Address is where it listens, 127.0.0.1:port.
	Address string

	open sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener
	held     int // a socket that keeps the port while it is refused; 0: none
	delay    time.Duration
	changed  chan struct{} // closed and replaced with each change of delay
	targets  []string
	next     int
	conns    map[net.Conn]struct{}
}

// NewSwitch listens on a free port. Without targets it closes every connection at once.
func NewSwitch(targets ...string) (*Switch, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start switch: %w", err)
	}
	s := &Switch{Address: listener.Addr().String(), listener: listener, changed: make(chan struct{}), targets: targets, conns: make(map[net.Conn]struct{})}
	s.open.Go(func() { s.accept(listener) })
	return s, nil
}

// Use sends new connections to these targets in turn. Open ones stay.
func (s *Switch) Use(targets ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.targets = targets
}

// Cut closes every connection, and new ones at once, until Use.
func (s *Switch) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.targets = nil
	for c := range s.conns {
		_ = c.Close()
	}
}

// Close ends the listener and every connection.
func (s *Switch) Close() error {
	err := s.Refuse()
	s.release()
	s.open.Wait()
	return err
}

func (s *Switch) accept(listener net.Listener) {
	for {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		s.open.Go(func() { s.join(c) })
	}
}

// join copies between a client and the target whose turn it is.
func (s *Switch) join(client net.Conn) {
	defer client.Close()
	target, err := net.Dial("tcp", s.turn())
	if err != nil {
		return
	}
	defer target.Close()
	if !s.hold(client, target) {
		return
	}
	defer s.drop(client, target)
	var back sync.WaitGroup
	gone := make(chan struct{})
	back.Go(func() { s.answer(client, target, gone) })
	pipe(target, client)
	close(gone)
	back.Wait()
}

// pipe copies one direction and passes the end of it on.
func pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	if half, ok := to.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
}

func (s *Switch) turn() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.targets) == 0 {
		return ""
	}
	s.next++
	return s.targets[s.next%len(s.targets)]
}

// hold remembers the connections for Cut; false if the cut came first.
func (s *Switch) hold(conns ...net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range conns {
		s.conns[c] = struct{}{}
	}
	return len(s.targets) > 0
}

func (s *Switch) drop(conns ...net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range conns {
		delete(s.conns, c)
	}
}
