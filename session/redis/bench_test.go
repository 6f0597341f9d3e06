package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"cloakroom/session"
	"cloakroom/session/storetest"
)

// BenchmarkRead compares ways to read a record of 4 KiB from 64 goroutines on two processors. cpu-ns/op is the processor time of this
// process: Redis runs in its own.
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
	opt := *s.client.Options()
	opt.PipelinePoolSize = 0
	piped := goredis.NewClient(&opt)
	defer piped.Close()
	blocking, err := piped.AutoPipeline()
	if err != nil {
		b.Fatal(err)
	}
	async, err := piped.AsyncAutoPipeline()
	if err != nil {
		b.Fatal(err)
	}
	for _, way := range []struct {
		name string
		read func(context.Context) error
	}{
		{"the store", func(ctx context.Context) error { _, err := s.Read(ctx, id); return err }},
		{"bare GET without a deadline", func(ctx context.Context) error { return s.client.Get(ctx, s.recordKey(id)).Err() }},
		{"pipelined without a deadline", func(ctx context.Context) error { return blocking.Get(ctx, s.recordKey(id)).Err() }},
		{"pipelined with a deadline", func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, s.timeout)
			defer cancel()
			return async.Submit(ctx, goredis.NewStringCmd(ctx, "get", s.recordKey(id))).WaitContext(ctx)
		}},
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
			if err := read(b.Context()); err != nil && !errors.Is(err, context.Canceled) {
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
