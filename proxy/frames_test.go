package proxy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
)

// frame is one as RFC 6455, section 5.2, writes it, with a payload of zeros, or masked by zeros, as an end may choose.
func frame(first byte, size int, masked bool) []byte {
	b := []byte{first, 0}
	switch {
	case size > 65535:
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, uint64(size))
	case size > 125:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(size))
	default:
		b[1] = byte(size)
	}
	if masked {
		b[1] |= 0x80
		b = append(b, 0, 0, 0, 0)
	}
	return append(b, make([]byte, size)...)
}

// samples are frames of every form of length, parts of messages with a ping between them among them.
func samples(masked bool) (all []byte, ends []int) {
	for _, f := range [][]byte{
		frame(0x81, 5, masked), frame(0x82, 0, masked), frame(0x01, 125, masked), frame(0x89, 3, masked), frame(0x00, 126, masked),
		frame(0x80, 300, masked), frame(0x8a, 0, masked), frame(0x82, 70000, masked), frame(0x81, 1, masked),
	} {
		all = append(all, f...)
		ends = append(ends, len(all))
	}
	return all, ends
}

func TestFramesEndWhereTheyEndInWhateverPiecesTheyCome(t *testing.T) {
	for _, masked := range []bool{false, true} {
		all, ends := samples(masked)
		for _, piece := range []int{1, 2, 3, 7, 64, 1000, len(all)} {
			var f frames
			at := 0
			for part := range slices.Chunk(all, piece) {
				f.follow(part)
				at += len(part)
				if want := slices.Contains(ends, at); f.between() != want {
					t.Fatalf("masked %v, pieces of %d: between two frames at byte %d: %v, want %v", masked, piece, at, f.between(), want)
				}
			}
		}
	}
}

// Wherever the stream is split, what is let out after the end stops at a frame's end, and as far on as the second part reaches.
func TestTheCutIsAtAFramesEndForEverySplit(t *testing.T) {
	all, ends := samples(false)
	all, ends = all[:ends[6]], ends[:7]
	for split := range len(all) {
		for _, upTo := range []int{split + 1, min(split+40, len(all)), len(all)} {
			var f frames
			f.follow(all[:split])
			got := split + f.cut(all[split:upTo])
			want := upTo // nothing ends in there: the frame under way goes on
			if split == 0 || slices.Contains(ends, split) {
				want = split
			}
			for _, end := range ends {
				if end > split && end <= upTo {
					want = end
				}
			}
			if got != want {
				t.Fatalf("split at %d, read up to %d: let out up to %d, want %d", split, upTo, got, want)
			}
			if f.between() != (got == 0 || slices.Contains(ends, got)) {
				t.Fatalf("split at %d: it does not know where it is", split)
			}
		}
	}
}

func TestTheUpstreamsOwnGoodbyeIsNotLetOutAfterTheEnd(t *testing.T) {
	data, bye := frame(0x81, 5, false), closeFrame(1000, "done")
	var f frames
	if n := f.cut(append(slices.Clone(data), bye...)); n != len(data) || f.closed {
		t.Errorf("let out %d bytes, want %d", n, len(data))
	}
	f = frames{}
	f.follow(bye[:1])
	if n := f.cut(bye[1:]); n != len(bye)-1 || !f.closed {
		t.Errorf("a close frame that had begun: %d of %d bytes, closed %v", n, len(bye)-1, f.closed)
	}
}

func TestTheCloseFrame(t *testing.T) { // RFC 6455, section 5.5.1
	if got, want := closeFrame(4401, "session ended"), append([]byte{0x88, 15, 0x11, 0x31}, "session ended"...); !bytes.Equal(got, want) {
		t.Errorf("got % x, want % x", got, want)
	}
	if got := closeFrame(1001, string(make([]byte, 500))); len(got) != 127 {
		t.Errorf("%d bytes, and a control frame has at most 127", len(got))
	}
}

// FuzzFrames: whatever an upstream sends, in whatever pieces, what one large read lets out is what many small ones do.
func FuzzFrames(f *testing.F) {
	all, _ := samples(false)
	f.Add(all[:600], 7)
	f.Add([]byte{0x82, 0xff, 255, 255, 255, 255, 255, 255, 255, 255, 1}, 1)
	f.Fuzz(func(t *testing.T, b []byte, piece int) {
		var whole, parts frames
		whole.follow(b)
		for part := range slices.Chunk(b, max(1, piece)) {
			parts.follow(part)
		}
		if whole != parts {
			t.Fatal(fmt.Sprint(whole, parts))
		}
		var cut frames
		if n := cut.cut(b); n > len(b) || n < len(b) && !cut.between() {
			t.Fatalf("cut at %d of %d", n, len(b))
		}
	})
}
