package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"cloakroom/configs"
)

const minimal = `server: {public_url: https://app.example.com}
providers: {main: {issuer: https://id.example.com, client_id: spa, client_secret: b7Kq2Zt9Xw4Lm6Rc}}
session: {secrets: [Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta]}
routes: [{path: /api/, upstream: "http://orders:9001"}]
`

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cloakroom.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommands(t *testing.T) {
	good := writeConfig(t, minimal)
	bad := writeConfig(t, strings.Replace(minimal, "client_id: spa", "clientid: spa", 1))
	off := writeConfig(t, strings.Replace(minimal, "server: {", "server: {admin_listen: off, ", 1))
	for _, c := range []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string // what they hold; "" for nothing at all
	}{
		{"check says ok and what the configuration does", []string{"check", "--config", good}, 0, "cloakroom.yaml: ok\n  https://app.example.com on :8080", ""},
		{"check lists mistakes on standard error and exits with 2", []string{"check", "-c", bad}, 2, "", "did you mean \"client_id\"?"},
		{"check counts the mistakes", []string{"check", "-c", bad}, 2, "", "\ncloakroom.yaml: 2 mistakes\n"},
		{"serve does not start with a bad configuration", []string{"serve", "-c", bad}, 2, "", "did you mean \"client_id\"?"},
		{"serve says which file it misses", []string{"serve", "-c", "nowhere.yaml"}, 2, "", "open nowhere.yaml: no such file"},
		{"version prints one line", []string{"version"}, 0, "cloakroom ", ""},
		{"schema prints JSON Schema", []string{"schema"}, 0, `"$schema": "https://json-schema.org/draft/2020-12/schema"`, ""},
		{"schema prints that of included files", []string{"schema", "--routes"}, 0, `"title": "Routes that Cloakroom's configuration includes"`, ""},
		{"an unknown command is bad usage", []string{"sreve"}, 2, "", "serve"},
		{"an unknown flag is bad usage", []string{"check", "--online-please"}, 2, "", "unknown flag"},
		{"an argument too many is bad usage", []string{"check", "x"}, 2, "", "name a configuration with --config x"},
		{"schema prints that of expectations", []string{"schema", "--tests"}, 0, `"title": "What a team expects of Cloakroom's routes"`, ""},
		{"schema prints one at a time", []string{"schema", "--tests", "--routes"}, 2, "", "[routes tests]"},
		{"a wrong flag says where the right ones are", []string{"explain", "--like", "alice"}, 2, "", "see cloakroom explain --help"},
		{"help is fine", []string{"--help"}, 0, "healthcheck", ""},
		{"healthcheck fails where nobody listens", []string{"healthcheck", "--url", "http://" + nobody(t)}, 1, "", "ask the server"},
		{"healthcheck cannot ask a listener that is off", []string{"healthcheck", "-c", off}, 2, "", "--url"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(c.args, &stdout, &stderr)
			if code != c.code || !holds(stdout.String(), c.stdout) || !holds(stderr.String(), c.stderr) {
				t.Errorf("run(%q) = %d\nstdout: %s\nstderr: %s\nwant %d, %q, %q", c.args, code, &stdout, &stderr, c.code, c.stdout, c.stderr)
			}
		})
	}
}

func holds(text, part string) bool {
	return part == "" && text == "" || part != "" && strings.Contains(text, part)
}

// nobody is an address on which nobody listens any more.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestHealthcheckBelievesOnly200(t *testing.T) {
	for status, code := range map[int]int{200: 0, 302: 1, 404: 1, 503: 1} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			if r.URL.Path == "/elsewhere" {
				return
			}
			w.WriteHeader(status)
		}))
		var out bytes.Buffer
		if got := run([]string{"healthcheck", "--url", s.URL + "/livez"}, &out, &out); got != code {
			t.Errorf("status %d: exit code %d, want %d: %s", status, got, code, &out)
		}
		s.Close()
	}
}

func TestHealthcheckAsksTheAdminListenerOfThisMachine(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:9090": "http://127.0.0.1:9090/livez",
		":9090":          "http://127.0.0.1:9090/livez",
		"0.0.0.0:9090":   "http://127.0.0.1:9090/livez",
		"[::]:9090":      "http://[::1]:9090/livez",
		"10.1.2.3:9090":  "http://10.1.2.3:9090/livez",
		"off":            "",
		"127.0.0.1:0":    "",
	} {
		if got, err := livezURL(addr); got != want || (err != nil) != (want == "") {
			t.Errorf("livezURL(%q) = %q, %v, want %q", addr, got, err, want)
		}
	}
}

// idle is nothing to do beside the server.
func idle(ctx context.Context) { <-ctx.Done() }

func TestTheFirstSignalStopsAndTheSecondEndsAtOnce(t *testing.T) {
	t.Run("a drain that finishes is a clean end", func(t *testing.T) {
		signals := make(chan os.Signal, 1)
		signals <- syscall.SIGTERM
		err := untilStopped(func(_ context.Context, stop <-chan struct{}) error { <-stop; return nil }, signals, idle)
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("a drain that hangs ends with the second signal", func(t *testing.T) {
		signals := make(chan os.Signal, 2)
		signals <- syscall.SIGTERM
		signals <- syscall.SIGTERM
		hang := func(ctx context.Context, stop <-chan struct{}) error { <-stop; <-ctx.Done(); return ctx.Err() }
		if err := untilStopped(hang, signals, idle); !errors.Is(err, errSecondSignal) {
			t.Error(err)
		}
	})
	t.Run("a server that fails ends by itself", func(t *testing.T) {
		broken := errors.New("broken")
		err := untilStopped(func(context.Context, <-chan struct{}) error { return broken }, make(chan os.Signal), idle)
		if !errors.Is(err, broken) {
			t.Error(err)
		}
	})
}

func TestTheLogFollowsTheConfiguration(t *testing.T) {
	var out bytes.Buffer
	log, level := newLog(configs.Log{Level: "warn", Format: "auto"}, &out)
	log.Info("quiet")
	if out.Len() > 0 {
		t.Errorf("info was written at level warn: %s", &out)
	}
	setLevel(level, configs.Log{Level: "debug"})
	log.Log(t.Context(), slog.LevelDebug, "seen")
	if !json.Valid(out.Bytes()) || !strings.Contains(out.String(), "seen") {
		t.Errorf("not JSON where there is no terminal: %s", &out)
	}
	out.Reset()
	log, _ = newLog(configs.Log{Level: "info", Format: "text"}, &out)
	log.Info("seen")
	if !strings.Contains(out.String(), "msg=seen") {
		t.Errorf("not text: %s", &out)
	}
}
