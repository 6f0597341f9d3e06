package session

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"
)

// copyShapes are sessions as providers make them, from the least to the most that a copy takes beside its sealed bytes.
func copyShapes() map[string]func() *Session {
	return map[string]func() *Session{
		"opaque tokens": func() *Session { return alice(time.Hour) },
		"1.5 KB tokens": benchSession,
		"100 groups": func() *Session {
			s := benchSession()
			groups := make([]any, 100)
			for i := range groups {
				groups[i] = fmt.Sprintf("%08x-0000-4000-8000-%012x", rand.Uint32(), i)
				s.Roles = append(s.Roles, groups[i].(string))
			}
			s.Claims["groups"] = groups
			return s
		},
		"1000 one-letter groups": func() *Session {
			s := benchSession()
			groups := make([]any, 1000)
			for i := range groups {
				groups[i] = string(rune('a' + i%26))
			}
			s.Claims["groups"] = groups
			return s
		},
		"60 KB token": func() *Session {
			s := alice(time.Hour)
			s.Tokens.Access = strings.Repeat("a", 60<<10)
			return s
		},
	}
}

// The bound in bytes is worth something only if it counts what copies take.
func TestWhatCopiesTakeIsCountedAsTheHeapHasIt(t *testing.T) {
	for name, shape := range copyShapes() {
		heap, counted := copyMemory(t, shape, 100)
		if ratio := counted / heap; ratio < 0.85 || ratio > 1.3 {
			t.Errorf("%s: a copy takes %.0f bytes of the heap and is counted as %.0f", name, heap, counted)
		}
	}
}

// copyMemory fills a process' copies and returns what one takes of the heap, and what the bound counts of it.
func copyMemory(t testing.TB, shape func() *Session, n int) (heap, counted float64) {
	t.Helper()
	st := newFakeStore()
	m, err := New(testConfig(), st, Deps{Refresh: newFakeProvider().refresh})
	if err != nil {
		t.Fatal(err)
	}
	requests := make([]*http.Request, n)
	for i := range requests {
		s := shape()
		s.Subject = fmt.Sprintf("user-%d", i)
		if err := m.Start(t.Context(), httptest.NewRecorder(), s); err != nil {
			t.Fatal(err)
		}
		requests[i] = httptest.NewRequest("GET", "/", nil)
		requests[i].Header.Set("Cookie", testConfig().Cookie.Name+"="+s.ticket)
	}
	reader, err := New(testConfig(), distant{st}, Deps{Refresh: newFakeProvider().refresh})
	if err != nil {
		t.Fatal(err)
	}
	before := heapInUse()
	for _, r := range requests {
		if _, err := reader.FromRequest(r); err != nil {
			t.Fatal(err)
		}
	}
	after := heapInUse()
	if kept := reader.copies.lru.Len(); kept != n {
		t.Fatalf("%d copies of %d", kept, n)
	}
	heap, counted = float64(after-before)/float64(n), float64(reader.copies.size)/float64(n)
	runtime.KeepAlive(requests)
	runtime.KeepAlive(m)
	return heap, counted
}

// distant is a store whose answers are bytes of their own, as those from a network are.
type distant struct{ *fakeStore }

func (d distant) Read(ctx context.Context, id ID) (Record, error) {
	rec, err := d.fakeStore.Read(ctx, id)
	rec.Sealed = bytes.Clone(rec.Sealed)
	return rec, err
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC() // what pools held back goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkCopyMemory(b *testing.B) {
	for name, shape := range copyShapes() {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				heap, counted := copyMemory(b, shape, 1000)
				b.ReportMetric(heap, "B/copy")
				b.ReportMetric(counted, "counted-B/copy")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}
