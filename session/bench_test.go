package session

import (
	"context"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// stillStore answers one record at once: what remains is what a request costs beside its read.
type stillStore struct {
	Store
	rec Record
}

func (s *stillStore) Read(context.Context, ID) (Record, error) { return s.rec, nil }

func (s *stillStore) Touch(context.Context, ID, time.Time) (bool, error) { return true, nil }

// benchSession is a session of a size as providers make them: about 3 KiB of tokens.
func benchSession() *Session {
	s := alice(time.Hour)
	s.Tokens.Access, s.Tokens.Refresh = strings.Repeat("a", 1500), strings.Repeat("r", 1500)
	return s
}

func BenchmarkFromRequest(b *testing.B) {
	st := newFakeStore()
	m, err := New(testConfig(), st, Deps{Refresh: newFakeProvider().refresh})
	if err != nil {
		b.Fatal(err)
	}
	s := benchSession()
	if err := m.Start(b.Context(), httptest.NewRecorder(), s); err != nil {
		b.Fatal(err)
	}
	m.store = &stillStore{Store: st, rec: st.records[s.ID()].rec}
	r := withCookies()
	r.Header.Set("Cookie", "theme=dark; __Host-Http-session="+s.ticket+"; lang=en")

	b.Run("opened copy", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := m.FromRequest(r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("opened copy, parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := m.FromRequest(r); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("proven copy", func(b *testing.B) {
		p := proven(b, st)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := p.FromRequest(r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("proven copy, parallel", func(b *testing.B) {
		p := proven(b, st)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := p.FromRequest(r); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("no copy", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.copies.hear(s.ID(), 0)
			if _, err := m.FromRequest(r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("access token", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := m.AccessToken(b.Context(), s); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// proven is a process that listens, and has heard a pong.
func proven(b *testing.B, st *fakeStore) *Manager {
	b.Helper()
	cfg := testConfig()
	cfg.Staleness = time.Minute
	m, err := New(cfg, st, Deps{Refresh: newFakeProvider().refresh})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	var running sync.WaitGroup
	running.Go(func() { m.Watch(ctx) })
	b.Cleanup(func() { cancel(); running.Wait() })
	for !m.CopiesTrusted() {
		runtime.Gosched()
	}
	return m
}
