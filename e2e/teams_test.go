package e2e

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloakroom/e2e/stack"
	"cloakroom/e2e/up"
)

// Several teams' files under one configuration: what docs/validation.md, compose.md, upstreams.md, headers.md and reload.md promise, tried on
// the built binary. Each file of these stories has its own team's configuration.

// places are the upstreams of all teams. Stories share them; each has paths of its own.
type places struct {
	echo *up.Upstream
	// pair has two servers, of which users' requests say whether they are there; checked two that are checked; brittle two that break requests off.
	pair, checked, brittle [2]place
	// unix is the path of a unix socket.
	unix   string
	files  *up.Upstream // behind the socket
	vault  *vault
	h2c    string
	apiKey string
}

// place is a server that can be taken away.
type place struct {
	*up.Upstream
	link *stack.Switch
}

// teams is a story on the stack that all teams' files configure.
type teams struct {
	*story
	*places
}

// onTeams tells a story on the shared stack of the teams, which stays as it is.
func onTeams(t *testing.T) *teams {
	t.Helper()
	p, err := shared.places()
	if err != nil {
		t.Fatal(err)
	}
	s, err := shared.teams()
	if err != nil {
		t.Fatal(err)
	}
	return &teams{&story{t, s, deadline(t)}, p}
}

// onOwnTeams tells one on a stack of its own with the same files, which it may change.
func onOwnTeams(t *testing.T) *teams {
	t.Helper()
	p, err := shared.places()
	if err != nil {
		t.Fatal(err)
	}
	return &teams{onOwn(t, p.options()), p}
}

// dir is where the configuration is.
func (s *teams) dir() string { return filepath.Dir(s.ConfigPath) }

// reached are the requests that an upstream has seen whose target has a part.
func reached(u *up.Upstream, part string) (seen []up.Request) {
	for _, r := range u.Seen() {
		if strings.Contains(r.Target, part) {
			seen = append(seen, r)
		}
	}
	return seen
}

// startTeams starts the shared stack of the teams.
func (r *run) startTeams() (*stack.Stack, error) {
	p, err := r.places()
	if err != nil {
		return nil, err
	}
	o := p.options()
	o.Corpus = r.corpus
	if o.Program, err = r.program(); err != nil {
		return nil, err
	}
	if o.Dir, err = r.tempDir(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := stack.Start(ctx, o)
	if err == nil {
		r.undo(s.Close)
		err = s.Provider.SetClaims(ctx, "jurgen", map[string]any{"name": "Jürgen", "picture": "Höhe, Breite", "groups": []string{"clerk", "a,b"}})
	}
	return s, err
}

// options are those of a stack with all teams' files.
func (p *places) options() stack.Options {
	return stack.Options{
		Replicas: 1, Env: p.env(),
		Configure: func(c *stack.Config) {
			c.Provider = "    timeout: 5s\n    claims: [sub, name, email, picture]"
			c.Sections = "include: [teams/*.yaml, teams/platform/*.yaml]\n" + `assertions: {keys: ["${file:keys/assertion.pem}"]}`
			c.Routes = fmt.Sprintf("  - {path: /public/, upstream: %[1]q, auth: none}\n  - {path: /api/, upstream: %[1]q}\n", p.echo.URL)
			c.Files = map[string]string{"keys/assertion.pem": newAssertionKey()}
			for _, files := range []map[string]string{checkedFiles(), p.composedFiles(), p.upstreamFiles(), p.vault.configuration(), p.toldFiles()} {
				for name, text := range files {
					c.Files[name] = text
				}
			}
		},
	}
}

// env is the environment that the teams' files speak of.
func (p *places) env() []string { return []string{"ECHO_URL=" + p.echo.URL, "TENANT=acme"} }

// newAssertionKey is a private key as openssl writes it.
func newAssertionKey() string {
	_, key, _ := ed25519.GenerateKey(rand.Reader) // never fails
	der, _ := x509.MarshalPKCS8PrivateKey(key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// startPlaces starts all upstreams.
func (r *run) startPlaces() (p *places, err error) {
	p = &places{apiKey: rand.Text() + rand.Text()}
	r.corpus.Learn("API key", p.apiKey)
	if p.echo, err = r.upstream(); err != nil {
		return nil, err
	}
	for _, two := range []*[2]place{&p.pair, &p.checked, &p.brittle} {
		for i := range two {
			if two[i], err = r.place(); err != nil {
				return nil, err
			}
		}
	}
	dir, err := r.tempDir()
	if err != nil {
		return nil, err
	}
	p.unix = filepath.Join(dir, "files.sock")
	listener, err := net.Listen("unix", p.unix)
	if err != nil {
		return nil, err
	}
	p.files = up.On(listener)
	r.undo(p.files.Close)
	p.h2c = r.startH2C()
	p.vault, err = r.startVault()
	return p, err
}

func (r *run) upstream() (*up.Upstream, error) {
	u, err := up.Start()
	if err == nil {
		r.undo(u.Close)
	}
	return u, err
}

func (r *run) place() (p place, err error) {
	if p.Upstream, err = r.upstream(); err != nil {
		return p, err
	}
	if p.link, err = stack.NewSwitch(p.direct()); err == nil {
		r.undo(p.link.Close)
	}
	return p, err
}

// direct is the address behind the link.
func (p place) direct() string { return strings.TrimPrefix(p.URL, "http://") }

// back ends what link.Refuse began.
func (p place) back() error { return p.link.Accept(p.direct()) }

// withTeams adds what the teams' stories share.
func (r *run) withTeams() *run {
	r.places = sync.OnceValues(r.startPlaces)
	r.teams = sync.OnceValues(r.startTeams)
	return r
}
