package e2e

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// wire is a replica's way to Redis. A test can stop what goes by: a command that is sent and not yet there, or one that is done and whose answer is not yet back.
type wire struct {
	address string

	listener net.Listener
	open     sync.WaitGroup

	mu     sync.Mutex
	target string
	stops  []*stop
	conns  []net.Conn
	closed bool
}

// stop holds what it is about until it is released. What its client gives up meanwhile still arrives, as on a real network.
type stop struct {
	words    [][]byte
	answers  bool
	arrived  chan struct{}
	released chan struct{}
	once     sync.Once
}

// newWire lays one that leads nowhere yet, and outlives what the test starts after it.
func newWire(t *testing.T) *wire {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{address: listener.Addr().String(), listener: listener}
	w.open.Go(w.accept)
	t.Cleanup(w.close)
	return w
}

// commands stops every command that has all these words, until the release.
func (w *wire) commands(words ...string) *stop { return w.add(false, words) }

// answers stops the answers to every command that has all these words.
func (w *wire) answers(words ...string) *stop { return w.add(true, words) }

func (w *wire) add(answers bool, words []string) *stop {
	s := &stop{answers: answers, arrived: make(chan struct{}, 1024), released: make(chan struct{})}
	for _, word := range words {
		s.words = append(s.words, []byte(word))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stops = append(w.stops, s)
	return s
}

func (s *stop) release() { s.once.Do(func() { close(s.released) }) }

func (s *stop) hold() {
	s.arrived <- struct{}{}
	<-s.released
}

func (s *stop) meant(piece []byte) bool {
	select {
	case <-s.released:
		return false
	default:
	}
	for _, word := range s.words {
		if !bytes.Contains(piece, word) {
			return false
		}
	}
	return true
}

// match returns the stop that a piece of a client's commands runs into, or nil.
func (w *wire) match(piece []byte) *stop {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.stops {
		if s.meant(piece) {
			return s
		}
	}
	return nil
}

func (w *wire) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		server := w.join(client)
		if server == nil {
			_ = client.Close()
			continue
		}
		var late atomic.Pointer[stop] // what the answers on this connection run into
		w.open.Go(func() {
			carry(server, client, func(piece []byte) {
				switch s := w.match(piece); {
				case s == nil:
				case s.answers:
					late.Store(s)
				default:
					s.hold()
				}
			})
		})
		w.open.Go(func() {
			carry(client, server, func([]byte) {
				if s := late.Swap(nil); s != nil {
					s.hold()
				}
			})
		})
	}
}

// join connects a client with the target, unless there is none.
func (w *wire) join(client net.Conn) net.Conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	server, err := net.Dial("tcp", w.target)
	if err != nil {
		return nil
	}
	w.conns = append(w.conns, client, server)
	return server
}

// lead says where to.
func (w *wire) lead(target string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.target = target
}

// clear lets everything go on.
func (w *wire) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.stops {
		s.release()
	}
}

// carry copies piece by piece, each of which is looked at first. go-redis sends a command's beginning, which has its name and keys, in one.
func carry(to, from net.Conn, look func(piece []byte)) {
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			look(buf[:n])
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (w *wire) close() {
	_ = w.listener.Close()
	w.clear()
	w.mu.Lock()
	w.closed = true
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.mu.Unlock()
	w.open.Wait()
}
