package e2e

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"cloakroom/e2e/stack"
)

// CFG-03: SIGTERM: readiness says no first, the request under way finishes, the process ends with 0.
func TestADrainFinishesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	s := onOwn(t, stack.Options{Replicas: 1})
	r, b := s.Replicas[0], s.signedIn("alice")
	gate := s.Upstream.Hold("hold")
	status := make(chan int, 1)
	go func() {
		a, err := b.Fetch(s.ctx, "GET", "/api/hold", "")
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		status <- a.Status
	}()
	<-gate.Arrived()
	s.check(r.Signal(syscall.SIGTERM))
	s.eventually("readiness says no while the request is under way", func() bool {
		code, _, err := r.Get(s.ctx, "/readyz")
		return err == nil && code == 503
	})
	gate.Release()
	if got := <-status; got != 200 {
		t.Errorf("the request under way ended with %d", got)
	}
	code, err := r.Wait(s.ctx)
	s.check(err)
	if code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

// A second signal ends the process at once, whatever is under way.
func TestASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := onOwn(t, stack.Options{Replicas: 1})
	r, b := s.Replicas[0], s.signedIn("alice")
	gate := s.Upstream.Hold("hold")
	defer gate.Release()
	broken := make(chan error, 1)
	go func() {
		_, err := b.Fetch(s.ctx, "GET", "/api/hold", "")
		broken <- err
	}()
	<-gate.Arrived()
	s.check(r.Signal(syscall.SIGTERM))
	s.eventually("it drains", func() bool {
		code, _, err := r.Get(s.ctx, "/readyz")
		return err == nil && code == 503
	})
	s.check(r.Signal(syscall.SIGTERM))
	code, err := r.Wait(s.ctx)
	s.check(err)
	if err := <-broken; err == nil {
		t.Error("the request under way was answered although nothing released it")
	}
	if code == 0 || code == 66 {
		t.Errorf("exit code %d, want one that says that the drain was cut short", code)
	}
}

// command runs the program as a user does and returns its output and exit code.
func command(t *testing.T, args ...string) (output string, code int) {
	t.Helper()
	program, err := shared.program()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(deadline(t))
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// A bad configuration does not start: exit code 2, and every mistake with its place and its remedy. CFG-01.
func TestABrokenConfigurationIsExplained(t *testing.T) {
	const secret = "d41d8cd98f00b204e9800998ecf8427e-not-to-be-shown"
	good := stack.Config{
		PublicURL: "http://localhost:8080", Issuer: "http://127.0.0.1:9999", ClientSecret: secret,
		RedisURL: "redis://127.0.0.1:6379/0", Secrets: []string{"ag8Rk2Zt0yQmX7Jc5Vn1Ld3Hs9Pw4Bf6Ue" + secret}, Upstream: "http://127.0.0.1:9001",
	}
	stories := []struct {
		name   string
		break_ func(text string) string
		code   int
		says   []string
	}{
		{"a good one is fine", func(t string) string { return t }, 0, nil},
		{"an unknown key names the nearest", func(t string) string { return strings.Replace(t, "idle_timeout", "idle_timout", 1) }, 2,
			[]string{"cloakroom.yaml:", `"idle_timout"`, `"idle_timeout"`}},
		{"two mistakes are both told", func(t string) string {
			return strings.Replace(strings.Replace(t, "idle_timeout: 30m", "idle_timeout: 13h", 1), "auth: none", "auth: maybe", 1)
		}, 2, []string{"session.idle_timeout", "auth"}},
		{"an http issuer elsewhere is refused", func(t string) string {
			return strings.Replace(t, "http://127.0.0.1:9999", "http://id.example.com", 1)
		}, 2, []string{"issuer", "https"}},
		{"no YAML at all", func(string) string { return "server: [" }, 2, []string{"cloakroom.yaml:1"}},
	}
	for _, st := range stories {
		t.Run(st.name, func(t *testing.T) {
			path, err := good.Write(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(st.break_(string(text))), 0o600); err != nil {
				t.Fatal(err)
			}
			commands := []string{"check"}
			if st.code != 0 {
				commands = append(commands, "serve") // would not end with a good one
			}
			for _, c := range commands {
				out, code := command(t, c, "--config", path)
				if code != st.code {
					t.Errorf("%s: exit code %d, want %d\n%s", c, code, st.code, out)
				}
				for _, want := range st.says {
					if !strings.Contains(out, want) {
						t.Errorf("%s does not say %s:\n%s", c, want, out)
					}
				}
				if strings.Contains(out, secret) {
					t.Errorf("%s shows a secret:\n%s", c, out)
				}
			}
		})
	}
}

func TestTheCommandLine(t *testing.T) {
	stories := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"version names itself", []string{"version"}, 0, "cloakroom"},
		{"help lists the commands", []string{"--help"}, 0, "serve"},
		{"an unknown command is bad usage", []string{"serv"}, 2, "serve"},
		{"an unknown flag is bad usage", []string{"serve", "--confg", "x"}, 2, "confg"},
		{"a missing file is a bad configuration", []string{"check", "--config", filepath.Join(t.TempDir(), "none.yaml")}, 2, "none.yaml"},
	}
	for _, st := range stories {
		t.Run(st.name, func(t *testing.T) {
			out, code := command(t, st.args...)
			if code != st.code || !strings.Contains(out, st.says) {
				t.Errorf("exit code %d, want %d and %q:\n%s", code, st.code, st.says, out)
			}
		})
	}
}
