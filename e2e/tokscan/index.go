package tokscan

import "encoding/binary"

// window is how many leading bytes of a text are looked up at once. Every form is longer.
const window = 8

// pattern is one form of one secret.
type pattern struct {
	secret secret
	form   string
}

type entry struct {
	text string
	pattern
}

// index finds many texts in one pass: a table by their first eight bytes, behind a bit set that rejects most
// positions without looking into the table.
type index struct {
	heads map[uint64][]entry
	bits  [1 << 12]uint64
}

func newIndex() *index { return &index{heads: make(map[uint64][]entry)} }

func (x *index) add(text string, p pattern) {
	head := binary.LittleEndian.Uint64([]byte(text[:window]))
	x.heads[head] = append(x.heads[head], entry{text, p})
	slot := slot(head)
	x.bits[slot>>6] |= 1 << (slot & 63)
}

// slot spreads heads over the bit set (multiplicative hashing).
func slot(head uint64) uint64 { return head * 0x9E3779B97F4A7C15 >> 46 }

// search calls found for every occurrence of every text in data.
func (x *index) search(data []byte, found func(pattern)) {
	for i := 0; i+window <= len(data); i++ {
		head := binary.LittleEndian.Uint64(data[i:])
		s := slot(head)
		if x.bits[s>>6]&(1<<(s&63)) == 0 {
			continue
		}
		for _, e := range x.heads[head] {
			if len(data)-i >= len(e.text) && string(data[i:i+len(e.text)]) == e.text {
				found(e.pattern)
			}
		}
	}
}
