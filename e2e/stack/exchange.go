package stack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Exchanger is a running zitadel provider (e2e/exchange), which has token exchange. Its token endpoint's requests are lines with the message "token".
type Exchanger struct {
	*Process
	// Issuer is its issuer identifier: the address of Link.
	Issuer string
	// Link is what everybody dials.
	Link   *Switch
	direct string
}

// BuildExchanger compiles it into dir and returns the program's path. It is a module of its own.
func BuildExchanger(ctx context.Context, dir string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, "exchange"), ".")
	cmd.Dir = filepath.Join(root, "e2e/exchange")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build e2e/exchange: %w\n%s", err, out)
	}
	return filepath.Join(dir, "exchange"), nil
}

// StartExchanger starts one for the client that a configuration has, with the audiences that it exchanges for.
func StartExchanger(ctx context.Context, program string, c Config, audiences ...string) (*Exchanger, error) {
	link, err := NewSwitch()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "EXCHANGE_ADDRESS=127.0.0.1:0", "EXCHANGE_ISSUER=http://"+link.Address, "EXCHANGE_CLIENT=app", "EXCHANGE_SECRET="+c.ClientSecret,
		"EXCHANGE_REDIRECT="+c.PublicURL+"/bff/callback", "EXCHANGE_AUDIENCES="+strings.Join(audiences, ","))
	p, err := Launch("exchanger", cmd)
	if err != nil {
		_ = link.Close()
		return nil, err
	}
	e := &Exchanger{Process: p, Issuer: "http://" + link.Address, Link: link}
	ready, err := p.Await(ctx, "ready line", func(l Line) bool { return l.Fields["ready"] == true })
	if err != nil {
		_ = e.Close()
		return nil, err
	}
	e.direct, _ = ready.Fields["address"].(string)
	link.Use(e.direct)
	return e, nil
}

// Exchanged counts the exchanges that were asked for an audience, whatever the answer.
func (e *Exchanger) Exchanged(audience string) (n int) {
	for _, l := range e.Lines() {
		if l.Is("token") && strings.HasSuffix(fmt.Sprint(l.Fields["grant_type"]), ":token-exchange") && l.Fields["audience"] == audience {
			n++
		}
	}
	return n
}

// Restore ends an outage that Link.Refuse began.
func (e *Exchanger) Restore() error { return e.Link.Accept(e.direct) }

// Close ends it.
func (e *Exchanger) Close() error {
	err := e.Kill()
	if closed := e.Link.Close(); err == nil {
		err = closed
	}
	return err
}
