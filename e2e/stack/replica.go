package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"cloakroom/e2e/tokscan"
)

// Replica is one running `cloakroom serve`.
type Replica struct {
	*Process
	// Address is the public listener's, Admin the other's, host:port.
	Address, Admin string

	corpus *tokscan.Corpus
}

// StartReplica runs the program with a configuration file, and environment variables beside this process's, and waits until it listens. Its log
// goes to the corpus, which may be nil.
func StartReplica(ctx context.Context, name, program, config string, corpus *tokscan.Corpus, env ...string) (*Replica, error) {
	var see func(string)
	if corpus != nil {
		see = func(line string) { corpus.See(tokscan.Log, name, []byte(line)) }
	}
	p, err := launch(name, serve(program, config, env...), see)
	if err != nil {
		return nil, err
	}
	r := &Replica{Process: p, corpus: corpus}
	for listener, address := range map[string]*string{"public": &r.Address, "admin": &r.Admin} {
		line, err := p.Await(ctx, listener+" listener", func(l Line) bool {
			return l.Is("listening") && l.Fields["listener"] == listener
		})
		if err != nil {
			_ = p.Kill()
			return nil, err
		}
		*address = line.Fields["address"].(string)
	}
	return r, nil
}

// StartLoggingReplica is StartReplica with the log going straight into a file, which costs this process nothing.
func StartLoggingReplica(ctx context.Context, name, program, config, log string) (*Replica, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer file.Close() // the child has its own
	cmd := serve(program, config)
	cmd.Stderr = file
	p, err := launch(name, cmd, nil)
	if err != nil {
		return nil, err
	}
	r := &Replica{Process: p}
	err = Eventually(ctx, name+" listens", func() bool { return r.readAddresses(log) })
	if err != nil {
		_ = p.Kill()
	}
	return r, err
}

// readAddresses looks for both listeners' addresses in a log file.
func (r *Replica) readAddresses(log string) bool {
	data, err := os.ReadFile(log)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		var record struct{ Msg, Listener, Address string }
		if json.Unmarshal([]byte(line), &record) != nil || record.Msg != "listening" {
			continue
		}
		if record.Listener == "public" {
			r.Address = record.Address
		} else {
			r.Admin = record.Address
		}
	}
	return r.Address != "" && r.Admin != ""
}

// serve is the command. A data race ends it with 66.
func serve(program, config string, env ...string) *exec.Cmd {
	cmd := exec.Command(program, "serve", "--config", config)
	cmd.Env = append(append(os.Environ(), "GORACE=exitcode=66"), env...)
	return cmd
}

// Get asks the admin listener and returns status and body.
func (r *Replica) Get(ctx context.Context, path string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Admin+path, nil)
	if err != nil {
		return 0, "", fmt.Errorf("ask %s: %w", r.Name, err)
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("ask %s: %w", r.Name, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, "", fmt.Errorf("ask %s: %w", r.Name, err)
	}
	if r.corpus != nil {
		r.corpus.See(tokscan.Metrics, r.Name+" "+path, body)
	}
	return res.StatusCode, string(body), nil
}

// Events returns the security events in the log with this name.
func (r *Replica) Events(event string) []Line {
	var found []Line
	for _, l := range r.Lines() {
		if l.Fields["event"] == event {
			found = append(found, l)
		}
	}
	return found
}

// Stop ends the replica as an orchestrator does and fails if it did not end cleanly: exit code, panics, data races.
func (r *Replica) Stop(ctx context.Context) error {
	select {
	case <-r.Done():
		return nil // a test ended it on purpose and looked at the exit code itself
	default:
	}
	if _, _, err := r.Get(ctx, "/metrics"); err != nil {
		return err
	}
	if err := r.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", r.Name, err)
	}
	code, err := r.Wait(ctx)
	if err != nil {
		_ = r.Kill()
		return err
	}
	if code != 0 {
		return fmt.Errorf("%s ended with %d\n%s", r.Name, code, r.tail())
	}
	for _, l := range r.Lines() {
		if strings.HasPrefix(l.Text, "panic:") || strings.Contains(l.Text, "WARNING: DATA RACE") {
			return fmt.Errorf("%s: %s\n%s", r.Name, l.Text, r.tail())
		}
	}
	return nil
}
