// Package opa runs the real Open Policy Agent, as a process on loopback, with the example policy of deploy/opa or any other.
package opa

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"

	"cloakroom/e2e/stack"
)

// Agent is a running agent.
type Agent struct {
	// URL is where its API begins.
	URL string
	// Process writes a line of JSON for each decision.
	*stack.Process
}

// Example is the folder of the example, deploy/opa.
func Example() (string, error) {
	root, err := stack.Root()
	return filepath.Join(root, "deploy", "opa"), err
}

// Program builds the agent, or finds what was built before.
func Program(ctx context.Context) (string, error) {
	root, err := stack.Root()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "tool", "-modfile=tools/go.mod", "-n", "opa")
	cmd.Dir = root
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("build opa: %w\n%s", err, &stderr)
	}
	return strings.TrimSpace(string(out)), nil
}

// Run runs a command of the program to its end, and returns what it wrote.
func Run(ctx context.Context, args ...string) (string, error) {
	program, err := Program(ctx)
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("opa %s: %w\n%s", args[0], err, out)
	}
	return string(out), nil
}

// Start makes a bundle of the folder policy in dir, which is the agent's own, and starts an agent with it. It waits until the agent answers.
func Start(ctx context.Context, dir, config, policy string) (*Agent, error) {
	bundle := filepath.Join(dir, "bundle.tar.gz")
	if _, err := Run(ctx, "build", "--bundle", policy, "--ignore", "*_test.rego", "--output", bundle, "--revision", "1"); err != nil {
		return nil, err
	}
	program, err := Program(ctx)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // the agent does not say which port it took
	if err != nil {
		return nil, fmt.Errorf("find a port: %w", err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, fmt.Errorf("find a port: %w", err)
	}
	a := &Agent{URL: "http://" + address}
	cmd := exec.Command(program, "run", "--server", "--addr", address, "--disable-telemetry", "--log-format", "json", "--config-file", config, "--bundle", bundle)
	if a.Process, err = stack.Launch("opa", cmd); err != nil {
		return nil, err
	}
	if err := stack.Eventually(ctx, "the agent answers", a.healthy); err != nil {
		_ = a.Kill()
		return nil, fmt.Errorf("%w\n%v", err, a.Lines())
	}
	return a, nil
}

func (a *Agent) healthy() bool {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(a.URL + "/health?bundles")
	if err != nil {
		return false
	}
	return res.Body.Close() == nil && res.StatusCode == http.StatusOK
}
