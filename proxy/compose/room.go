package compose

import (
	"errors"
	"io"
	"sync/atomic"
)

// Room is the memory that all composed answers of a process may take together, as it is reckoned here: of every byte that a leg brings, what is made of it. Each answer is
// bounded by itself, but nobody bounds how many are made at the same time. It is safe for concurrent use; nil is room without end.
type Room struct{ left atomic.Int64 }

// NewRoom makes a room of so many bytes.
func NewRoom(bytes int64) *Room {
	r := new(Room)
	r.left.Store(bytes)
	return r
}

// What a leg's byte comes to until the answer is out: decoded and shaped it is about ten, else it is copied once.
const (
	shapedWeight = 10
	plainWeight  = 2
)

var errRoom = errors.New("no room for a further answer")

// share is what one answer has of the room. Its legs fill it at the same time.
type share struct {
	room   *Room
	weight int64
	taken  atomic.Int64
}

func (r *Room) share(shaped bool) *share {
	if shaped {
		return &share{room: r, weight: shapedWeight}
	}
	return &share{room: r, weight: plainWeight}
}

// take reports whether there is room for n more bytes of a leg. Nobody waits for room: who has some would wait for who has the rest.
func (s *share) take(n int64) bool {
	if s.room == nil {
		return true
	}
	n *= s.weight
	if s.room.left.Add(-n) < 0 {
		s.room.left.Add(n)
		return false
	}
	s.taken.Add(n)
	return true
}

// give gives all of it back.
func (s *share) give() {
	if s.room != nil {
		s.room.left.Add(s.taken.Swap(0))
	}
}

// counted reads a leg's answer as far as there is room.
type counted struct {
	io.Reader
	share *share
}

// Read takes the room of what came.
func (c counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if !c.share.take(int64(n)) {
		return 0, errRoom
	}
	return n, err
}
