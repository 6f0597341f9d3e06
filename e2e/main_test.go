package e2e

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
	"cloakroom/e2e/tokscan"
)

// run is what all tests of a run share: the program, what was seen, and one stack for the stories that leave it as it was.
type run struct {
	corpus  *tokscan.Corpus
	witness *browse.Witness
	program func() (string, error)
	usual   func() (*stack.Stack, error)
	places  func() (*places, error)
	teams   func() (*stack.Stack, error)
	ruled   func() (*ruled, error)

	mu    sync.Mutex
	after []func() error // undoes what the run started, last first
}

// tempDir makes a folder that goes with the run.
func (r *run) tempDir() (string, error) {
	dir, err := os.MkdirTemp("", "cloakroom-e2e-")
	if err == nil {
		r.undo(func() error { return os.RemoveAll(dir) })
	}
	return dir, err
}

func (r *run) undo(f func() error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.after = append(r.after, f)
}

var shared = newRun()

func newRun() *run {
	r := &run{corpus: tokscan.New()}
	r.witness = &browse.Witness{Corpus: r.corpus}
	r.program = sync.OnceValues(func() (string, error) {
		dir, err := r.tempDir()
		if err != nil {
			return "", err
		}
		return stack.Build(context.Background(), dir, "./cmd/cloakroom", true)
	})
	r.usual = sync.OnceValues(func() (*stack.Stack, error) {
		program, err := r.program()
		if err != nil {
			return nil, err
		}
		dir, err := r.tempDir()
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		s, err := stack.Start(ctx, stack.Options{Program: program, Dir: dir, Replicas: 2, Corpus: r.corpus})
		if err == nil {
			r.undo(s.Close)
		}
		return s, err
	})
	return r.withTeams().withRules()
}

// TestMain runs the stories and then judges everything that they saw: BBA-6.1-03, LOG-02, SES-07, CK-06 by the scanner;
// HDR-01..10, BBA-6.1-04, BBA-6.1-05, BBA-6.1-08, CK-03 and BCP-14 by the rules for every answer.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if err := shared.judge(flag.Lookup("test.run").Value.String() == ""); err != nil {
		fmt.Println("FAIL: what the run saw:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// judge ends what the run started and scans. A whole run must have something to scan of every kind.
func (r *run) judge(whole bool) error {
	var wrong []string
	for _, undo := range slices.Backward(r.after) {
		if err := undo(); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	violations, answers := r.witness.Violations()
	wrong = append(wrong, violations...)
	for _, f := range r.corpus.Scan() {
		wrong = append(wrong, f.String())
	}
	records, secrets := r.corpus.Count()
	fmt.Printf("scanned %v for %v; checked %d answers\n", records, secrets, answers)
	if whole {
		for _, source := range []tokscan.Source{tokscan.Answer, tokscan.Log, tokscan.Metrics, tokscan.Store} {
			if records[source] == 0 {
				wrong = append(wrong, fmt.Sprintf("nothing was recorded from %s", source))
			}
		}
		for _, kind := range []string{"access token", "refresh token", "ID token", "code", "code verifier", "state", "ticket", "client secret", "session secret", "logout token"} {
			if secrets[kind] == 0 {
				wrong = append(wrong, "no "+kind+" was learnt")
			}
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d mistakes:\n  %s", len(wrong), strings.Join(wrong, "\n  "))
	}
	return nil
}

// story is one test on one stack.
type story struct {
	*testing.T
	*stack.Stack
	ctx context.Context
}

// onUsual tells a story on the shared stack: two replicas, long-lived tokens, nothing broken.
func onUsual(t *testing.T) *story {
	t.Helper()
	s, err := shared.usual()
	if err != nil {
		t.Fatal(err)
	}
	return &story{t, s, deadline(t)}
}

// onOwn tells a story on a stack of its own.
func onOwn(t *testing.T, o stack.Options) *story {
	t.Helper()
	program, err := shared.program()
	if err != nil {
		t.Fatal(err)
	}
	o.Program, o.Dir = program, t.TempDir()
	if o.Corpus == nil {
		o.Corpus = shared.corpus
	}
	ctx := deadline(t)
	s, err := stack.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &story{t, s, ctx}
}

// deadline bounds a story.
func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// browser opens a new browser whose connections go to the public port.
func (s *story) browser() *browse.Browser {
	b := browse.New(s.PublicURL, shared.witness)
	s.Cleanup(b.Close)
	return b
}

// at returns the browser with its connections on the nth replica.
func (s *story) at(b *browse.Browser, n int) *browse.Browser {
	v := b.Via(s.Replicas[n].Address)
	s.Cleanup(v.Close)
	return v
}

// signedIn opens a browser and signs sub in.
func (s *story) signedIn(sub string) *browse.Browser {
	s.Helper()
	b := s.browser()
	a, err := b.SignIn(s.ctx, sub, "/public/welcome")
	if err != nil {
		s.Fatal(err)
	}
	if a.Status != 200 || b.Ticket() == "" {
		s.Fatalf("sign-in of %s ended at %s with %d, ticket %t\n%s", sub, a.URL, a.Status, b.Ticket() != "", s.brief(a))
	}
	return b
}

// get fetches a path as the app's script does and demands a status.
func (s *story) get(b *browse.Browser, path string, status int) *browse.Answer {
	s.Helper()
	return s.fetch(b, "GET", path, status)
}

func (s *story) fetch(b *browse.Browser, method, path string, status int, header ...string) *browse.Answer {
	s.Helper()
	a, err := b.Fetch(s.ctx, method, path, "", header...)
	if err != nil {
		s.Fatal(err)
	}
	if a.Status != status {
		s.Fatalf("%s %s: %d, want %d\n%s", method, path, a.Status, status, s.brief(a))
	}
	return a
}

// fields decodes a JSON answer.
func (s *story) fields(a *browse.Answer) map[string]any {
	s.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.Body), &m); err != nil {
		s.Fatalf("%s: %v in %q", a.URL.Path, err, a.Body)
	}
	return m
}

// problem demands a problem document with this code.
func (s *story) problem(a *browse.Answer, code string) {
	s.Helper()
	m := s.fields(a)
	if kind := a.Header.Get("Content-Type"); kind != "application/problem+json" || m["code"] != code || m["status"] != float64(a.Status) {
		s.Errorf("%s: %s %s, want a problem with code %q and status %d", a.URL.Path, kind, a.Body, code, a.Status)
	}
	if a.Header.Get("X-Cloakroom") != "problem" {
		s.Errorf("%s: the problem is not marked", a.URL.Path)
	}
}

// check fails the story on an error.
func (s *story) check(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// eventually waits for what announces itself nowhere.
func (s *story) eventually(what string, ok func() bool) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
	defer cancel()
	s.check(stack.Eventually(ctx, what, ok))
}
