package ca

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"cloakroom/e2e/stack"
)

// Pebble is a running ACME server. It knocks where the host that wants a certificate should listen, here always this machine.
type Pebble struct {
	// Directory is its URL for clients.
	Directory string
	// Authority vouches for Pebble's own HTTPS, not for what it issues.
	Authority *Authority
	// Roots are what its certificates hang on. It makes new ones at each start.
	Roots *x509.CertPool

	process *stack.Process
	names   *names
	door    net.Listener
	open    sync.WaitGroup
}

// Options say where Pebble knocks, and what it gives.
type Options struct {
	// Dir is a folder of its own.
	Dir string
	// HTTPPort and TLSPort are where it asks for http-01 and tls-alpn-01.
	HTTPPort, TLSPort int
	// Validity is how long a certificate is valid.
	Validity time.Duration
}

// NewDoor is where clients will find a Pebble that is not started yet: they wait in front of it. Give its URL to who needs the directory first.
func NewDoor() (door net.Listener, directory string, err error) {
	door, err = net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", fmt.Errorf("open a door: %w", err)
	}
	return door, "https://" + door.Addr().String() + "/dir", nil
}

// StartPebble starts one behind the door, and waits until it answers. a signs its own HTTPS certificate.
func StartPebble(ctx context.Context, door net.Listener, a *Authority, o Options) (p *Pebble, err error) {
	p = &Pebble{Directory: "https://" + door.Addr().String() + "/dir", Authority: a, door: door}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	if p.names, err = startNames(); err != nil {
		return p, err
	}
	program, err := pebbleProgram(ctx)
	if err != nil {
		return p, err
	}
	listen, manage, err := twoPorts()
	if err != nil {
		return p, err
	}
	config, err := p.configure(o, listen, manage)
	if err != nil {
		return p, err
	}
	cmd := exec.Command(program, "-config", config, "-dnsserver", p.names.listener.Addr().String())
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1")
	if p.process, err = stack.Launch("pebble", cmd); err != nil {
		return p, err
	}
	if err = stack.Eventually(ctx, "pebble answers", func() bool { return p.learnRoots(ctx, manage) == nil }); err != nil {
		return p, fmt.Errorf("%w\n%v", err, p.process.Lines())
	}
	p.open.Go(func() { p.serve(listen) })
	return p, nil
}

// pebbleProgram builds it, or finds what was built before.
func pebbleProgram(ctx context.Context) (string, error) {
	root, err := stack.Root()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "tool", "-modfile=tools/go.mod", "-n", "pebble")
	cmd.Dir = root
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("build pebble: %w\n%s", err, &stderr)
	}
	return strings.TrimSpace(string(out)), nil
}

// twoPorts are free at this moment: Pebble cannot say which one it took.
func twoPorts() (listen, manage string, err error) {
	var taken [2]net.Listener
	for i := range taken {
		if taken[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return "", "", fmt.Errorf("find a port: %w", err)
		}
		defer taken[i].Close()
	}
	return taken[0].Addr().String(), taken[1].Addr().String(), nil
}

// configure writes Pebble's files and returns the main one.
func (p *Pebble) configure(o Options, listen, manage string) (string, error) {
	cert, key, err := p.Authority.Issue("127.0.0.1", time.Now().Add(time.Hour))
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": manage,
		"certificate": filepath.Join(o.Dir, "pebble.crt"), "privateKey": filepath.Join(o.Dir, "pebble.key"),
		"httpPort": o.HTTPPort, "tlsPort": o.TLSPort, "keyAlgorithm": "ecdsa",
		"retryAfter": map[string]int{"authz": 1, "order": 1},
		"profiles":   map[string]any{"default": map[string]any{"description": "for tests", "validityPeriod": int(o.Validity.Seconds())}},
	}})
	if err != nil {
		return "", fmt.Errorf("configure pebble: %w", err)
	}
	for name, data := range map[string][]byte{"pebble.crt": cert, "pebble.key": key, "pebble.json": text} {
		if err := os.WriteFile(filepath.Join(o.Dir, name), data, 0o600); err != nil {
			return "", fmt.Errorf("configure pebble: %w", err)
		}
	}
	return filepath.Join(o.Dir, "pebble.json"), nil
}

// learnRoots asks for the certificate that all others hang on.
func (p *Pebble) learnRoots(ctx context.Context, manage string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+manage+"/roots/0", nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.Authority.Pool}, DisableKeepAlives: true}}
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	p.Roots = x509.NewCertPool()
	if !p.Roots.AppendCertsFromPEM(text) {
		return fmt.Errorf("no root in %q", text)
	}
	return nil
}

// serve lets clients in.
func (p *Pebble) serve(listen string) {
	for {
		client, err := p.door.Accept()
		if err != nil {
			return
		}
		p.open.Go(func() {
			defer client.Close()
			inside, err := net.Dial("tcp", listen)
			if err != nil {
				return
			}
			defer inside.Close()
			p.open.Go(func() { _, _ = io.Copy(client, inside); client.Close() })
			_, _ = io.Copy(inside, client)
		})
	}
}

// Issued counts the certificates that it has given.
func (p *Pebble) Issued() (n int) {
	for _, l := range p.process.Lines() {
		if strings.Contains(l.Text, "Issued certificate serial") {
			n++
		}
	}
	return n
}

// Close ends it.
func (p *Pebble) Close() {
	p.door.Close()
	if p.process != nil {
		_ = p.process.Kill() // clients' connections end with it
	}
	p.open.Wait()
	if p.names != nil {
		p.names.close()
	}
}
