package browser

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloakroom/e2e/stack"
)

// source returns the app's folder.
func source(t *testing.T) string {
	t.Helper()
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "e2e", "spa")
}

// viteCommand is Vite of the lock file.
func viteCommand(t *testing.T, ctx context.Context, args ...string) *exec.Cmd {
	t.Helper()
	path := filepath.Join(source(t), "..", "node_modules", ".bin", "vite")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("vite is missing: run `make setup`: %v", err)
	}
	return exec.CommandContext(ctx, path, args...)
}

// vite runs Vite to its end.
func vite(t *testing.T, ctx context.Context, args ...string) {
	t.Helper()
	if out, err := viteCommand(t, ctx, args...).CombinedOutput(); err != nil {
		t.Fatalf("vite %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// copySource copies the app to a place where a test may edit it; the packages stay where they are.
func copySource(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	app := filepath.Join(dir, "spa")
	if err := os.CopyFS(app, os.DirFS(source(t))); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(source(t), "..", "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return app
}

// serveVite starts the development server on a free port and returns its URL.
func serveVite(t *testing.T, ctx context.Context, app string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := stack.Launch("vite", viteCommand(t, ctx, app, "--host", "127.0.0.1", "--port", port, "--strictPort"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	})
	if _, err := p.Await(ctx, "ready line", func(l stack.Line) bool { return strings.Contains(l.Text, "ready in") }); err != nil {
		t.Fatal(err)
	}
	return "http://127.0.0.1:" + port
}
