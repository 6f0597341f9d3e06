package redis

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"syscall"
	"testing"
	"time"

	"cloakroom/session"
	"cloakroom/session/storetest"
)

// BenchmarkRead compares ways to read a record of 4 KiB, from few and from many goroutines. cpu-ns/op is the processor time of
// this process: Redis runs in its own.
func BenchmarkRead(b *testing.B) {
	server := storetest.StartRedis(b)
	s, err := New(Config{URL: server.URL(), Prefix: "bench", Timeout: 5 * time.Second, PoolSize: 64}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	id := session.ID("0123456789012345678901234567890123456789012")
	rec := session.Record{Version: 1, Sealed: make([]byte, 4<<10)}
	if err := s.Create(b.Context(), id, rec, time.Now().Add(time.Hour)); err != nil {
		b.Fatal(err)
	}
	for _, way := range []struct {
		name string
		read func(context.Context) error
	}{
		{"as it is", func(ctx context.Context) error { _, err := s.Read(ctx, id); return err }},
		{"alone", func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, s.timeout)
			defer cancel()
			return s.client.Get(ctx, s.recordKey(id)).Err()
		}},
		{"shared", func(ctx context.Context) error { _, err := s.reads.get(ctx, s.recordKey(id)); return err }},
	} {
		for _, goroutines := range []int{2, 8, 64} {
			b.Run(fmt.Sprintf("%s/%d", way.name, goroutines), func(b *testing.B) { parallel(b, goroutines, way.read) })
		}
	}
}

// parallel runs read from that many goroutines and reports their processor time.
func parallel(b *testing.B, goroutines int, read func(context.Context) error) {
	b.SetParallelism(max(1, goroutines/runtime.GOMAXPROCS(0)))
	b.ReportAllocs()
	before := processor(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := read(b.Context()); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(processor(b)-before)/float64(b.N), "cpu-ns/op")
}

// processor is the processor time that this process has used.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
