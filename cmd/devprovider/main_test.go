package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func secretFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "oidc")
	if err := os.WriteFile(path, []byte("b7Kq2Zt9Xw4Lm6Rc+/=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatIsNotForThisMachineAloneIsRefused(t *testing.T) {
	secret := secretFile(t)
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"an address that others reach":   {[]string{"--secret", secret, "--listen", "0.0.0.0:0"}, 1, "loopback"},
		"an app that others reach":       {[]string{"--secret", secret, "--listen", "127.0.0.1:0", "--app", "https://shop.example.com"}, 1, "loopback"},
		"a secret that is not there":     {[]string{"--secret", secret + "x"}, 1, "openssl rand"},
		"an unknown flag":                {[]string{"--clent", "x"}, 2, "clent"},
		"an argument that means nothing": {[]string{"surplus"}, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var errs bytes.Buffer
			if code := run(t.Context(), c.args, io.Discard, &errs); code != c.code || !strings.Contains(errs.String(), c.says) {
				t.Errorf("exit code %d, want %d and %q:\n%s", code, c.code, c.says, &errs)
			}
		})
	}
}

func TestItServesUntilItIsStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	said, out := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"--secret", secretFile(t), "--listen", "127.0.0.1:0"}, out, io.Discard)
	}()
	line := make([]byte, 200)
	n, err := said.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	issuer := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(string(line[:n]))
	res, err := http.Get(issuer + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatalf("after %q: %v", line[:n], err)
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || !strings.Contains(string(body), `"issuer":"`+issuer+`"`) {
		t.Errorf("metadata: %s (%v)", body, err)
	}
	stop()
	if c := <-code; c != 0 {
		t.Errorf("exit code %d, want 0", c)
	}
}
