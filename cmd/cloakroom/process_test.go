package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asProgram makes the test binary the program itself, so that signals and exit codes are a process' own.
const asProgram = "CLOAKROOM_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// process is a server that runs, with its log.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	log *bufio.Scanner
	url string
}

// start runs `cloakroom serve` with one public route, and waits until it listens.
func start(t *testing.T, upstream string) *process {
	t.Helper()
	path := writeConfig(t, fmt.Sprintf(`server: {public_url: "http://localhost", listen: "127.0.0.1:0", admin_listen: off}
providers: {main: {issuer: "http://127.0.0.1:1", client_id: spa, client_secret: b7Kq2Zt9Xw4Lm6Rc}}
session: {store: memory, secrets: [Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta]}
routes: [{path: /, upstream: %q, auth: none}]
`, upstream))
	return startFile(t, path)
}

// startFile runs `cloakroom serve` with a configuration, and waits until its public listener listens.
func startFile(t *testing.T, path string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], "serve", "--config", path)}
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.log = bufio.NewScanner(stderr)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(time.Minute, func() { p.cmd.Process.Kill() }) // or a record that never comes would be waited for
	t.Cleanup(func() { late.Stop(); p.cmd.Process.Kill(); p.cmd.Wait() })
	p.url = "http://" + p.until("listening")["address"].(string)
	return p
}

// event reads the log up to the next security event of one of these names.
func (p *process) event(names ...string) map[string]any {
	p.t.Helper()
	for {
		record := p.until("security event")
		if name, _ := record["event"].(string); slices.Contains(names, name) {
			return record
		}
	}
}

// until reads the log up to the record with this message.
func (p *process) until(message string) map[string]any {
	p.t.Helper()
	for p.log.Scan() {
		record := map[string]any{}
		if err := json.Unmarshal(p.log.Bytes(), &record); err != nil {
			p.t.Fatalf("no JSON in the log: %s", p.log.Bytes())
		}
		if record["msg"] == message {
			return record
		}
	}
	p.t.Fatalf("the log ended without %q", message)
	return nil
}

func (p *process) signal() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
}

// exit reads the rest of the log and answers the exit code.
func (p *process) exit() (code int, log string) {
	var rest strings.Builder
	for p.log.Scan() {
		rest.WriteString(p.log.Text() + "\n")
	}
	p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode(), rest.String()
}

// get sends a request as a client of the public URL would, and answers its status, 0 for none.
func (p *process) get() int {
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+"/", nil)
	if err != nil {
		return 0
	}
	r.Host = "localhost"
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// slowUpstream announces each request, and answers it when told.
func slowUpstream(t *testing.T) (url string, arrived, answer chan struct{}) {
	arrived, answer = make(chan struct{}, 1), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-answer:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, arrived, answer
}

// CFG-03: a stop loses no request.
func TestSIGTERMLetsARequestInFlightFinish(t *testing.T) {
	url, arrived, answer := slowUpstream(t)
	p := start(t, url)
	status := make(chan int, 1)
	go func() { status <- p.get() }()
	<-arrived
	p.signal()
	p.until("draining")
	close(answer)
	if got := <-status; got != http.StatusOK {
		t.Errorf("the request in flight got %d", got)
	}
	if code, log := p.exit(); code != 0 {
		t.Errorf("exit code %d\n%s", code, log)
	}
}

func TestASecondSIGTERMEndsAtOnce(t *testing.T) {
	url, arrived, _ := slowUpstream(t)
	p := start(t, url)
	status := make(chan int, 1)
	go func() { status <- p.get() }()
	<-arrived
	p.signal()
	p.until("draining")
	p.signal()
	if code, log := p.exit(); code != 1 || !strings.Contains(log, errSecondSignal.Error()) {
		t.Errorf("exit code %d\n%s", code, log)
	}
	if got := <-status; got == http.StatusOK {
		t.Error("a request that nobody answered got 200")
	}
}

func TestAnAddressInUseFailsWithOne(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	path := writeConfig(t, strings.NewReplacer(
		"server: {", fmt.Sprintf("server: {listen: %q, admin_listen: off, ", s.Listener.Addr()),
		"session: {", "session: {store: memory, ",
	).Replace(minimal))
	var out strings.Builder
	if code := run([]string{"serve", "-c", path}, &out, &out); code != 1 || !strings.Contains(out.String(), "server.listen") {
		t.Errorf("exit code %d\n%s", code, &out)
	}
}
