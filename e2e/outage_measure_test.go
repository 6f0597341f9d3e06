package e2e

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
)

// outagesPage is the table that the tests of outages keep in step.
const outagesPage = "docs/outages.md"

// readRoot reads a file of the project.
func readRoot(t *testing.T, path string) string {
	t.Helper()
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// documented demands that the row of this test on the page says what the test has seen.
func documented(t *testing.T, seen ...string) {
	t.Helper()
	for line := range strings.Lines(readRoot(t, outagesPage)) {
		if !strings.Contains(line, "`"+t.Name()+"`") {
			continue
		}
		for _, word := range seen {
			if !strings.Contains(line, "`"+word+"`") {
				t.Errorf("%s: the row of %s does not say `%s`", outagesPage, t.Name(), word)
			}
		}
		return
	}
	t.Errorf("%s has no row of %s", outagesPage, t.Name())
}

// metric returns the sum of a metric's series whose line begins with prefix, 0 if there is none.
func (s *story) metric(r *stack.Replica, prefix string) float64 {
	s.Helper()
	_, text, err := r.Get(s.ctx, "/metrics")
	s.check(err)
	sum := 0.0
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil && strings.HasPrefix(name, prefix) {
			sum += n
		}
	}
	return sum
}

// counted demands that a counter has risen since before was read.
func (s *story) counted(r *stack.Replica, prefix string, before float64) {
	s.Helper()
	s.eventually(prefix+" has risen", func() bool { return s.metric(r, prefix) > before })
}

// record waits for a record of a replica whose fields are these, given as name, value, …; text fields need only contain the value.
func (s *story) record(r *stack.Replica, fields ...string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
	defer cancel()
	_, err := r.Await(ctx, "log record "+strings.Join(fields, " "), func(l stack.Line) bool {
		for i := 0; i < len(fields); i += 2 {
			if text, _ := l.Fields[fields[i]].(string); !strings.Contains(text, fields[i+1]) {
				return false
			}
		}
		return true
	})
	s.check(err)
}

// readiness waits until a replica's answer has this status and a line with these words.
func (s *story) readiness(r *stack.Replica, status int, line string) {
	s.Helper()
	var body string
	defer func() {
		if s.Failed() {
			s.Logf("the last /readyz:\n%s", body)
		}
	}()
	s.eventually("readiness "+strconv.Itoa(status)+" "+line, func() bool {
		got, text, err := r.Get(s.ctx, "/readyz")
		body = text
		return err == nil && got == status && strings.Contains(text, line)
	})
}

// alive demands what no outage may take: liveness, and a public route.
func (s *story) alive(b *browse.Browser, r *stack.Replica) {
	s.Helper()
	s.get(b, "/public/x", 200)
	if status, _, err := r.Get(s.ctx, "/livez"); err != nil || status != 200 {
		s.Errorf("/livez: %d %v", status, err)
	}
}

// unavailable demands what every outage is to a script: a problem with this status and code, Retry-After with 503, no
// redirect, no cookie set or cleared.
func (s *story) unavailable(a *browse.Answer, status int, code string) {
	s.Helper()
	if a.Status != status {
		s.Errorf("%s: %d, want %d\n%s", a.URL.Path, a.Status, status, s.brief(a))
		return
	}
	s.problem(a, code)
	if cookies := a.Header.Values("Set-Cookie"); len(cookies) > 0 || a.Header.Get("Location") != "" {
		s.Errorf("%s: %d cookies, Location %q; want neither", a.URL.Path, len(cookies), a.Header.Get("Location"))
	}
	if status == 503 && a.Header.Get("Retry-After") == "" {
		s.Errorf("%s: 503 without Retry-After", a.URL.Path)
	}
}

// storm asks for a path n times, one each gap whether or not the last was answered, and returns the 99th percentile of
// the times that the answers took. judge gets every answer.
func (s *story) storm(b *browse.Browser, path string, n int, gap time.Duration, judge func(*browse.Answer)) time.Duration {
	s.Helper()
	tick := time.NewTicker(gap)
	defer tick.Stop()
	took := make([]time.Duration, n)
	answers := make([]*browse.Answer, n)
	var under sync.WaitGroup
	for i := range n {
		<-tick.C
		under.Go(func() {
			began := time.Now()
			a, err := b.Fetch(s.ctx, "GET", path, "")
			took[i], answers[i] = time.Since(began), a
			if err != nil {
				s.Error(err)
			}
		})
	}
	under.Wait()
	for _, a := range answers {
		if a != nil {
			judge(a)
		}
	}
	slices.Sort(took)
	return took[(n*99+99)/100-1]
}

// bounded demands a 99th percentile of at most limit in one of three storms: a busy machine only adds to it.
func (s *story) bounded(limit time.Duration, storm func() time.Duration) {
	s.Helper()
	var seen []time.Duration
	for range 3 {
		p99 := storm()
		if seen = append(seen, p99); p99 <= limit {
			s.Logf("99th percentile %s, limit %s", p99.Round(time.Millisecond), limit)
			return
		}
	}
	s.Errorf("99th percentiles %v, want %s", seen, limit)
}

// load is what a process holds.
type load struct{ goroutines, memory float64 }

func (s *story) load(r *stack.Replica) load {
	s.Helper()
	return load{s.metric(r, "go_goroutines"), s.metric(r, "process_resident_memory_bytes")}
}

// settled waits until a process holds what it held before, with room for a few idle connections and for what the
// collector keeps.
func (s *story) settled(r *stack.Replica, before load) {
	s.Helper()
	const idle, kept = 20, 48 << 20
	var now load
	defer func() {
		s.Logf("goroutines %.0f → %.0f, memory %.0f → %.0f MiB", before.goroutines, now.goroutines, before.memory/(1<<20), now.memory/(1<<20))
	}()
	s.eventually(r.Name+" holds what it held before", func() bool {
		now = s.load(r)
		return now.goroutines <= before.goroutines+idle && now.memory <= before.memory+kept
	})
}
