package storetest

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
)

// Lossy stands between a store and its server and can lose an answer: it delivers a request, waits until the server has
// answered, and cuts the connection instead of passing that on.
type Lossy struct {
	// Addr is where it listens.
	Addr string

	server   string
	listener net.Listener
	all      sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	mark  []byte
	times int
	lost  int
	hang  bool
}

// StartLossy starts one in front of server, a host:port. It ends with the test.
func StartLossy(t testing.TB, server string) *Lossy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	l := &Lossy{Addr: listener.Addr().String(), server: server, listener: listener, conns: map[net.Conn]struct{}{}}
	l.all.Go(l.accept)
	t.Cleanup(l.stop)
	return l
}

// Lose makes it lose the answers to the next requests that contain mark, that many times.
func (l *Lossy) Lose(mark string, times int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mark, l.times, l.lost, l.hang = []byte(mark), times, 0, false
}

// Hang is Lose, but the connections stay open: nothing more ever comes on them.
func (l *Lossy) Hang(mark string, times int) {
	l.Lose(mark, times)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hang = true
}

// Lost is how many answers it has lost since Lose.
func (l *Lossy) Lost() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// accept takes connections until stop.
func (l *Lossy) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.all.Go(func() { l.serve(client) })
	}
}

// serve passes one connection on, in both directions, until either end closes it or an answer is lost.
func (l *Lossy) serve(client net.Conn) {
	defer l.forget(client)
	server, err := net.Dial("tcp", l.server)
	if err != nil {
		return
	}
	defer l.forget(server)
	if !l.keep(client, server) {
		return
	}
	fate := make(chan bool, 1) // has an entry once an answer is to be lost: whether the connection hangs
	l.all.Go(func() { answers(client, server, fate) })
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if chosen, hang := l.chosen(buf[:n]); chosen {
			select {
			case fate <- hang:
			default: // it is lost already
			}
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// answers passes answers on until one is to be lost.
func answers(client, server net.Conn, fate <-chan bool) {
	defer client.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		select {
		case hang := <-fate:
			if hang {
				_, _ = io.Copy(io.Discard, server)
			}
			return
		default:
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// chosen reports whether this request's answer is to be lost, and how.
func (l *Lossy) chosen(request []byte) (chosen, hang bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.times == 0 || !bytes.Contains(request, l.mark) {
		return false, false
	}
	l.times--
	l.lost++
	return true, l.hang
}

// keep remembers connections for stop; false means that it came already.
func (l *Lossy) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		if l.conns == nil {
			return false
		}
		l.conns[c] = struct{}{}
	}
	return true
}

// forget closes a connection.
func (l *Lossy) forget(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	_ = c.Close()
}

// stop closes everything and waits.
func (l *Lossy) stop() {
	_ = l.listener.Close()
	l.mu.Lock()
	conns := l.conns
	l.conns = nil
	for c := range conns {
		_ = c.Close()
	}
	l.mu.Unlock()
	l.all.Wait()
}
