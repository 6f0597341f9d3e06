package stack

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// Refuse closes every connection and the port: who dials is refused, as by a machine whose server is down. The port stays ours: another server that
// happened to get it would be taken for this one.
func (s *Switch) Refuse() error {
	s.mu.Lock()
	err := s.listener.Close()
	if s.held == 0 {
		s.held = hold(s.listener.Addr())
	}
	s.mu.Unlock()
	s.Cut()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// hold binds a socket to an address and does not listen. 0: it could not.
func hold(addr net.Addr) (fd int) {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || tcp.IP.To4() == nil {
		return 0
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	// Connections that have just ended must not be in the way; once it is bound, nobody may share it.
	_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: tcp.Port, Addr: [4]byte(tcp.IP.To4())}); err != nil {
		_ = syscall.Close(fd)
		return 0
	}
	_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 0)
	return fd
}

// release gives a held port back.
func (s *Switch) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held != 0 {
		_ = syscall.Close(s.held)
		s.held = 0
	}
}

// Accept opens the port again after Refuse, to these targets.
func (s *Switch) Accept(targets ...string) error {
	s.release()
	listener, err := net.Listen("tcp", s.Address)
	if err != nil {
		return fmt.Errorf("open switch again: %w", err)
	}
	s.mu.Lock()
	s.listener = listener
	s.mu.Unlock()
	s.Use(targets...)
	s.open.Go(func() { s.accept(listener) })
	return nil
}

// Reset breaks every connection off in the middle of whatever is on it. New ones are served at once.
func (s *Switch) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // RST, and what is still in the buffer is lost
		}
		_ = c.Close()
	}
}

// Delay keeps each piece of an answer back for this long, from now on, on connections that are open, too. What was kept back so far goes out.
func (s *Switch) Delay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
	close(s.changed)
	s.changed = make(chan struct{})
}

// answer copies from the target to the client, late if it shall be so, until either is gone.
func (s *Switch) answer(client, target net.Conn, gone <-chan struct{}) {
	buf := make([]byte, 32<<10)
	for {
		n, err := target.Read(buf)
		if n > 0 && !(s.late(gone) && written(client, buf[:n])) || err != nil {
			break
		}
	}
	if half, ok := client.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
}

// late waits as long as answers take, and reports whether somebody still waits for this one.
func (s *Switch) late(gone <-chan struct{}) bool {
	s.mu.Lock()
	delay, changed := s.delay, s.changed
	s.mu.Unlock()
	if delay == 0 {
		return true
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-changed:
		return true
	case <-gone:
		return false
	}
}

func written(c net.Conn, piece []byte) bool {
	_, err := c.Write(piece)
	return err == nil
}
