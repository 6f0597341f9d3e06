//go:build image

package image

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
	"cloakroom/e2e/up"
)

// docker runs the client and answers what it prints.
func docker(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, cmp.Or(os.Getenv("DOCKER"), "docker"), args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("docker %s: %w\n%s", args[0], err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// container is the image, running.
type container struct {
	*stack.Process
	name, origin string
	upstream     *up.Upstream
}

// start starts the image and what it needs: Redis, a provider, an API.
func start(ctx context.Context, t *testing.T) *container {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	upstream, err := up.Start()
	must(err)
	t.Cleanup(func() { upstream.Close() })
	redis, err := stack.StartRedis(ctx, t.TempDir(), nil)
	must(err)
	t.Cleanup(func() { redis.Close() })
	port, admin := freePort(t), freePort(t)
	c := &container{name: "cloakroom-" + strings.ToLower(rand.Text()[:8]), origin: "http://localhost:" + port, upstream: upstream}
	secret := rand.Text() + rand.Text()
	provider, err := stack.StartProvider(ctx, 0, []stack.Client{{
		ID: "app", Secret: secret, RedirectURIs: []string{c.origin + "/bff/callback"}, PostLogoutRedirectURIs: []string{c.origin + "/bff/logout"},
	}}, nil)
	must(err)
	t.Cleanup(func() { provider.Close() })

	dir := configure(t, secret, fmt.Sprintf(configuration, port, c.origin, admin, provider.Issuer, redis.Link.Address, upstream.URL))
	c.Process, err = stack.Launch("image", exec.Command(cmp.Or(os.Getenv("DOCKER"), "docker"), "run", "--rm", "--name", c.name,
		"--network", "host", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--health-interval", "1s",
		"--volume", dir+":/etc/cloakroom:ro", cmp.Or(os.Getenv("IMAGE"), "cloakroom:dev")))
	must(err)
	t.Cleanup(func() { docker(context.Background(), "rm", "--force", c.name) }) // what is gone already is fine
	_, err = c.Await(ctx, "public listener", func(l stack.Line) bool { return l.Is("listening") && l.Fields["listener"] == "public" })
	must(err)
	return c
}

const configuration = `server: {listen: "127.0.0.1:%s", public_url: "%s", admin_listen: "127.0.0.1:%s"}
providers: {main: {issuer: "%s", client_id: app, client_secret: "${file:oidc}", scopes: [openid, profile, offline_access]}}
session: {secrets: ["${file:session}"], redis: {url: "redis://%s/0"}}
routes:
  - {path: /api/, upstream: "%[6]s/v1", strip_prefix: /api}
  - {path: /public/, upstream: "%[6]s", auth: none}
`

// configure writes the folder that becomes /etc/cloakroom. The container's user is nobody here and must read it.
func configure(t *testing.T, secret, config string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"cloakroom.yaml": config, "oidc": secret, "session": rand.Text() + rand.Text()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// freePort returns a port that was free a moment ago: the healthcheck reads it from the configuration, so it cannot be 0.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func TestTheImageSignsAUserInReadOnlyAndWithoutCapabilities(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c := start(ctx, t)

	err := stack.Eventually(ctx, "the image's own healthcheck says healthy", func() bool {
		state, err := docker(ctx, "inspect", "--format", "{{.State.Health.Status}}", c.name)
		return err == nil && state == "healthy"
	})
	if err != nil {
		t.Fatal(err)
	}
	if user, err := docker(ctx, "inspect", "--format", "{{.Config.User}}", c.name); err != nil || !strings.HasPrefix(user, "65532") {
		t.Errorf("user %q (%v), want 65532", user, err)
	}

	b := browse.New(c.origin, nil)
	defer b.Close()
	if a, err := b.SignIn(ctx, "alice", "/public/welcome"); err != nil || a.Status != 200 || b.Ticket() == "" {
		t.Fatalf("sign-in: %+v, %v", a, err)
	}
	fetch := func(method, path string, want int) {
		t.Helper()
		a, err := b.Fetch(ctx, method, path, "")
		if err != nil || a.Status != want {
			t.Fatalf("%s %s: %+v, %v; want %d", method, path, a, err, want)
		}
	}
	fetch("GET", "/api/orders/7", 200)
	if seen := c.upstream.Seen(); seen[len(seen)-1].Target != "/v1/orders/7" || seen[len(seen)-1].Bearer() == "" {
		t.Errorf("the API saw %s, bearer %t", seen[len(seen)-1].Target, seen[len(seen)-1].Bearer() != "")
	}
	fetch("POST", "/bff/logout", 200)
	fetch("GET", "/api/orders/7", 401)

	if _, err := docker(ctx, "stop", "--time", "20", c.name); err != nil {
		t.Fatal(err)
	}
	if code, err := c.Wait(ctx); err != nil || code != 0 {
		t.Errorf("docker stop ended it with %d (%v), want 0", code, err)
	}
}
