package proxy

import "encoding/binary"

// opClose is the opcode of a WebSocket's close frame (RFC 6455, section 5.5.1).
const opClose = 8

// frames follows the frames of one direction of a WebSocket (RFC 6455, section 5.2), in whatever pieces they come. It judges nothing: what
// the two ends make of each other's frames is theirs.
type frames struct {
	head   [10]byte // of the frame under way, without its mask
	have   int      // bytes of head so far; 0: between two frames
	want   int      // bytes of head in all, once two are known
	rest   uint64   // bytes of mask and payload to come
	inBody bool
	closed bool // a close frame has gone by: nothing may follow
}

// between reports whether what was followed so far ends with a frame's end.
func (f *frames) between() bool { return f.have == 0 }

// follow takes notice of p.
func (f *frames) follow(p []byte) {
	for len(p) > 0 {
		n, _ := f.next(p)
		p = p[n:]
	}
}

// cut follows p up to the last frame's end in it, but not into a close frame, and returns how much that is. Where p has no end
// of the frame under way, it follows all.
func (f *frames) cut(p []byte) int {
	kept, before := 0, *f
	for at := 0; at < len(p) && !f.closed; {
		if f.between() && p[at]&0x0f == opClose {
			break
		}
		n, end := f.next(p[at:])
		at += n
		if end {
			kept, before = at, *f
		}
	}
	if kept == 0 && !before.between() {
		return len(p)
	}
	*f = before
	return kept
}

// next follows p up to the end of the frame under way, and reports whether it is there.
func (f *frames) next(p []byte) (n int, end bool) {
	for n < len(p) && !f.inBody {
		f.head[f.have] = p[n]
		f.have++
		n++
		f.measure()
	}
	if !f.inBody {
		return n, false
	}
	skip := min(f.rest, uint64(len(p)-n))
	n, f.rest = n+int(skip), f.rest-skip
	if f.rest > 0 {
		return n, false
	}
	f.closed = f.closed || f.head[0]&0x0f == opClose
	f.have, f.want, f.inBody = 0, 0, false
	return n, true
}

// measure reads the lengths, as soon as they are there.
func (f *frames) measure() {
	if f.have < 2 {
		return
	}
	size := uint64(f.head[1] & 0x7f)
	if f.have == 2 {
		f.want = 2
		switch size {
		case 126:
			f.want = 4
		case 127:
			f.want = 10
		}
	}
	if f.have < f.want {
		return
	}
	switch f.want {
	case 4:
		size = uint64(binary.BigEndian.Uint16(f.head[2:]))
	case 10:
		size = binary.BigEndian.Uint64(f.head[2:]) &^ (1 << 63) // the highest bit must be 0
	}
	if f.head[1]&0x80 != 0 {
		size += 4 // the mask
	}
	f.rest, f.inBody = size, true
}

// closeFrame is a server's close frame: not masked, and so short that its length is one byte.
func closeFrame(code uint16, reason string) []byte {
	reason = reason[:min(len(reason), 123)]
	b := append(make([]byte, 0, 4+len(reason)), 0x80|opClose, byte(2+len(reason)))
	return append(binary.BigEndian.AppendUint16(b, code), reason...)
}
