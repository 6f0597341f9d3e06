package tutorial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloakroom/e2e/stack"
)

// shell is a command line as the reader's terminal runs it, in a process group of its own, as a terminal's is.
func (r *reader) shell(text string) *exec.Cmd {
	cmd := exec.Command("bash", "-e", "-c", text)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "NO_UPDATE_NOTIFIER=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// run runs commands to their end, and stays where they went.
func (r *reader) run(s step, text string) {
	r.Helper()
	r.pin()
	where := filepath.Join(r.TempDir(), "where")
	p, err := stack.Launch("the commands", r.shell(text+"pwd >"+where))
	if err != nil {
		r.Fatal(err)
	}
	code, err := p.Wait(r.ctx)
	if err != nil {
		_ = syscall.Kill(-p.Pid(), syscall.SIGKILL) // npm has children
	}
	r.printed, r.after = strings.Join(texts(p), "\n"), true
	if err != nil || code != 0 {
		r.Fatalf("docs/tutorial.md:%d: exit code %d, %v\n%s%s", s.line, code, err, text, r.printed)
	}
	dir, err := os.ReadFile(where)
	if err != nil {
		r.Fatal(err)
	}
	r.dir = strings.TrimSpace(string(dir))
}

// pin puts the lock file where npm looks for it, as soon as there is an app.
func (r *reader) pin() {
	r.Helper()
	lock := filepath.Join(r.dir, "shop", "package-lock.json")
	if _, err := os.Stat(filepath.Dir(lock)); err != nil {
		return
	}
	if _, err := os.Stat(lock); err == nil {
		return
	}
	pinned, err := os.ReadFile("package-lock.json")
	if err == nil {
		err = os.WriteFile(lock, pinned, 0o600)
	}
	if err != nil {
		r.Fatal(err)
	}
}

func texts(p *stack.Process) []string {
	var all []string
	for _, l := range p.Lines() {
		all = append(all, l.Text)
	}
	return all
}

// terminal is one that is left open.
type terminal struct {
	*stack.Process
	seen int // lines that the page has spoken of
}

// leaveRunning opens a terminal, and closes it after the test as people do, by Ctrl-C.
func (r *reader) leaveRunning(s step, text string) {
	r.Helper()
	p, err := stack.Launch(fmt.Sprintf("the terminal of line %d", s.line), r.shell(text))
	if err != nil {
		r.Fatal(err)
	}
	r.terminals, r.after = append(r.terminals, &terminal{Process: p}), false
	r.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_ = syscall.Kill(-p.Pid(), syscall.SIGINT) // one that has ended by itself shows by its exit code
		code, err := p.Wait(ctx)
		if err != nil {
			_ = syscall.Kill(-p.Pid(), syscall.SIGKILL)
			<-p.Done()
		}
		// Cloakroom and the provider end with 0. Vite and node die of the signal, and a data race would be 66.
		if err != nil || code != 0 && strings.HasPrefix(text, "./") {
			r.Errorf("the terminal of line %d ended with %d, %v", s.line, code, err)
		}
		if r.Failed() {
			r.Logf("the terminal of line %d:\n%s", s.line, strings.Join(texts(p), "\n"))
		}
	})
}

// await waits until one of the terminals prints a line that it has not printed before.
func (r *reader) await(text string) error {
	want, err := like(text)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.ctx, 30*time.Second)
	defer cancel()
	type found struct {
		t   *terminal
		at  int
		err error
	}
	results := make(chan found, len(r.terminals))
	for _, t := range r.terminals {
		go func() { // ends with ctx at the latest; results has room for all
			at := -1
			_, err := t.Await(ctx, "line like "+strconv.Quote(text), func(l stack.Line) bool {
				at++
				return at >= t.seen && want.MatchString(l.Text)
			})
			results <- found{t, at, err}
		}()
	}
	var first *found
	var errs []error
	for range r.terminals {
		f := <-results
		if f.err != nil {
			errs = append(errs, f.err)
			continue
		}
		if first == nil {
			first = &f
		}
		cancel() // the others need not wait for it
	}
	if first == nil {
		return errors.Join(errs...)
	}
	first.t.seen = first.at + 1
	return nil
}

// freePorts gives each port of the page another, as pairs of old and new. They are below those that the system gives to connections, so that
// nobody else gets them before they are used.
func freePorts(t *testing.T, old ...string) []string {
	t.Helper()
	var pairs []string
	for port := 10000 + os.Getpid()%20000; len(pairs) < 2*len(old); port++ {
		free := port < 32000
		if !free {
			t.Fatal("no free ports")
		}
		for _, host := range []string{"127.0.0.1", "localhost"} {
			ln, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
			if err != nil {
				free = false
				continue
			}
			if err := ln.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if free {
			pairs = append(pairs, old[len(pairs)/2], strconv.Itoa(port))
		}
	}
	return pairs
}
