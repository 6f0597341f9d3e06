package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloakroom/bff"
	"cloakroom/configs"
)

// book notes which configurations it was asked to switch to, and when. What it answers is written beforehand; then it takes them.
type book struct {
	mu      sync.Mutex
	start   time.Time
	answers []error
	routes  []string // of each configuration
	at      []time.Duration
	invalid []error
}

func (b *book) Reload(cfg *configs.Config) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	paths := ""
	for _, r := range cfg.Routes {
		paths += r.Path + " " + fmt.Sprint(r.Methods)
	}
	b.routes, b.at = append(b.routes, paths), append(b.at, time.Since(b.start))
	if len(b.answers) == 0 {
		return nil
	}
	err := b.answers[0]
	b.answers = b.answers[1:]
	return err
}

func (b *book) Invalid(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.invalid = append(b.invalid, err)
}

// reloading runs a reloader on a configuration, in a bubble's time, and hands the test its files. It ends with the test.
func reloading(t *testing.T, test func(f folder, b *book), answers ...error) {
	f := newFolder(t)
	f.write("secret", sessionSecret)
	f.write("cloakroom.yaml", reloadable("http://127.0.0.1:1", ""))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		first := read(ctx, f.path("cloakroom.yaml"), configs.WatchedFile(f.path("cloakroom.yaml")), 0)
		if first.err != nil {
			t.Fatal(first.err)
		}
		b := &book{start: time.Now(), answers: answers}
		r := &reloader{path: f.path("cloakroom.yaml"), server: b, last: first}
		_, r.level = newLog(first.cfg.Server.Log, os.Stderr)
		var ended sync.WaitGroup
		defer ended.Wait()
		defer cancel()
		ended.Go(func() { r.run(ctx, nil) })
		test(f, b)
	})
}

// pass lets time go by.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// While a provider is away the same configuration is tried every 30 seconds, and not again once it holds.
func TestAConfigurationWhoseProviderIsAwayIsTriedAgain(t *testing.T) {
	t.Parallel()
	away := fmt.Errorf("providers.main: %w", bff.ErrProviderAway)
	reloading(t, func(f folder, b *book) {
		f.write("cloakroom.yaml", reloadable("http://127.0.0.1:2", ""))
		pass(3 * time.Minute)
		if len(b.at) != 3 {
			t.Fatalf("tried at %v, want three times", b.at)
		}
		for i, after := range []time.Duration{b.at[1] - b.at[0], b.at[2] - b.at[1]} {
			if after < 30*time.Second || after > 32*time.Second {
				t.Errorf("try %d came after %v", i+2, after)
			}
		}
	}, away, away)
}

// What is mended is not kept waiting by the next try of what was wrong; and a refusal for good is not tried again.
func TestAChangeDoesNotWaitForTheNextTry(t *testing.T) {
	t.Parallel()
	reloading(t, func(f folder, b *book) {
		f.write("cloakroom.yaml", reloadable("http://127.0.0.1:2", ""))
		pass(5 * time.Second)
		f.write("cloakroom.yaml", reloadable("http://127.0.0.1:3", ""))
		pass(3 * time.Minute)
		if len(b.at) != 2 || b.at[1]-b.at[0] > 10*time.Second {
			t.Errorf("tried at %v, want twice, the second time at once", b.at)
		}
	}, bff.ErrProviderAway, &bff.RestartNeeded{Keys: []string{"server.listen"}})
}

// A change that comes before the server runs is not lost.
func TestAChangeBeforeTheServerRunsIsTriedAgain(t *testing.T) {
	t.Parallel()
	reloading(t, func(f folder, b *book) {
		f.write("cloakroom.yaml", reloadable("http://127.0.0.1:2", ""))
		pass(10 * time.Second)
		if len(b.at) != 2 {
			t.Errorf("tried at %v, want twice", b.at)
		}
	}, bff.ErrNotRunning)
}

// Half a file may be a configuration: the one without the line that says GET only. It is never taken for the whole, though it is all there is when it is looked at.
func TestHalfAFileIsNotTaken(t *testing.T) {
	t.Parallel()
	reloading(t, func(f folder, b *book) {
		half := reloadable("http://127.0.0.1:1", `include: ["team.yaml"]`)
		f.write("cloakroom.yaml", half)
		f.write("team.yaml", "routes: []\n")
		pass(1950 * time.Millisecond) // just before the next look
		route := "routes:\n  - path: /team/\n    upstream: http://127.0.0.1:1\n"
		if err := os.WriteFile(f.path("team.yaml"), []byte(route), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, more := range []string{"    timeout: 5s\n", "    methods: [GET]\n"} {
			pass(200 * time.Millisecond) // after it, and again when it is looked at a second time
			route += more
			if err := os.WriteFile(f.path("team.yaml"), []byte(route), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		pass(10 * time.Second)
		if want := []string{"/ []", "/ []/team/ [GET]"}; !slices.Equal(b.routes, want) {
			t.Errorf("switched to %q at %v, want %q", b.routes, b.at, want)
		}
	})
}

// A file that is gone, or cannot be read, is said once; when it is back, it holds.
func TestAFileThatIsGoneIsSaidOnce(t *testing.T) {
	t.Parallel()
	reloading(t, func(f folder, b *book) {
		if err := os.Rename(f.path("cloakroom.yaml"), f.path("away")); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		if len(b.invalid) != 1 || !errors.Is(b.invalid[0], os.ErrNotExist) || len(b.at) != 0 {
			t.Errorf("said %q, switched at %v", b.invalid, b.at)
		}
		if err := os.Rename(f.path("away"), f.path("cloakroom.yaml")); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		if len(b.invalid) != 1 || len(b.at) != 1 {
			t.Errorf("said %q, switched at %v, want once", b.invalid, b.at)
		}
	})
}
