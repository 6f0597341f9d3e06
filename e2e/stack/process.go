package stack

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// Line is one line of a process's output, decoded if it is JSON.
type Line struct {
	Text   string
	Fields map[string]any
}

// Is reports whether the line is a log record with this message.
func (l Line) Is(msg string) bool { return l.Fields["msg"] == msg }

// Process is a running program whose output is kept.
type Process struct {
	// Name is used in errors.
	Name string

	cmd   *exec.Cmd
	stdin io.WriteCloser // open as long as the process shall live, where it watches its input
	done  chan struct{}

	mu    sync.Mutex
	lines []Line
	more  chan struct{} // closed and replaced at each line
	state *os.ProcessState
}

// Launch starts cmd and reads its output.
func Launch(name string, cmd *exec.Cmd) (*Process, error) { return launch(name, cmd, nil) }

// launch starts cmd and reads its output, unless standard error goes elsewhere; see is called with every line and may be nil.
func launch(name string, cmd *exec.Cmd, see func(line string)) (*Process, error) {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	pipes := []io.Reader{out}
	if cmd.Stderr == nil {
		errs, err := cmd.StderrPipe()
		if err != nil {
			return nil, fmt.Errorf("start %s: %w", name, err)
		}
		pipes = append(pipes, errs)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &Process{Name: name, cmd: cmd, stdin: in, done: make(chan struct{}), more: make(chan struct{})}
	var reading sync.WaitGroup
	for _, pipe := range pipes {
		reading.Go(func() { p.read(pipe, see) })
	}
	go func() { // ends with the process; Wait and Kill wait for it through done
		reading.Wait()
		_ = cmd.Wait() // the exit code is in the state
		p.mu.Lock()
		p.state = cmd.ProcessState
		p.mu.Unlock()
		close(p.done)
	}()
	return p, nil
}

func (p *Process) read(pipe io.Reader, see func(string)) {
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		line := Line{Text: lines.Text()}
		if strings.HasPrefix(line.Text, "{") {
			_ = json.Unmarshal(lines.Bytes(), &line.Fields) // not JSON: text only
		}
		if see != nil {
			see(line.Text)
		}
		p.mu.Lock()
		p.lines = append(p.lines, line)
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
	}
}

// Lines returns the output so far.
func (p *Process) Lines() []Line {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Line(nil), p.lines...)
}

// Await returns the first line that matches, waiting for it if need be. It fails when the process ends without one.
func (p *Process) Await(ctx context.Context, what string, match func(Line) bool) (Line, error) {
	for next := 0; ; {
		p.mu.Lock()
		lines, more := p.lines, p.more
		p.mu.Unlock()
		for ; next < len(lines); next++ {
			if match(lines[next]) {
				return lines[next], nil
			}
		}
		select {
		case <-more:
		case <-p.done:
			if len(p.Lines()) == next {
				return Line{}, fmt.Errorf("%s ended before %s\n%s", p.Name, what, p.tail())
			}
		case <-ctx.Done():
			return Line{}, fmt.Errorf("%s: no %s: %w\n%s", p.Name, what, context.Cause(ctx), p.tail())
		}
	}
}

// tail returns the last lines, for errors.
func (p *Process) tail() string {
	lines := p.Lines()
	var b strings.Builder
	for _, l := range lines[max(0, len(lines)-20):] {
		fmt.Fprintln(&b, "  "+l.Text)
	}
	return b.String()
}

// Tell writes a line to the process.
func (p *Process) Tell(line string) error {
	_, err := fmt.Fprintln(p.stdin, line)
	return err
}

// Leave ends the process's input.
func (p *Process) Leave() error { return p.stdin.Close() }

// Signal sends a signal.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Pid returns the process ID.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended and its output is read.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait returns the exit code when the process has ended.
func (p *Process) Wait(ctx context.Context) (int, error) {
	select {
	case <-p.done:
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.state.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s has not ended: %w\n%s", p.Name, context.Cause(ctx), p.tail())
	}
}

// Kill ends the process at once and waits until it is gone.
func (p *Process) Kill() error {
	err := p.cmd.Process.Kill()
	<-p.done
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
