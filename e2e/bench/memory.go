package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"cloakroom/e2e/stack"
)

// copyMemory prints what a copied session takes of the heap. It is measured inside, by a benchmark of its package: from outside garbage cannot
// be told from copies.
func (b *bench) copyMemory(ctx context.Context, w io.Writer) error {
	lines, err := benchmark(ctx, "./session", "^BenchmarkCopyMemory$", "-benchtime", "1x")
	if err != nil {
		return err
	}
	fmt.Fprint(w, "Heap per copied session, and what the bound counts of it (session/copies.go)\n\n", strings.Join(lines, ""))
	return nil
}

// benchmark runs one of a package's own, and returns its lines.
func benchmark(ctx context.Context, pkg, name string, flags ...string) (lines []string, err error) {
	root, err := stack.Root()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"test", "-run", "^$", "-bench", name, "-benchmem"}, flags...), pkg)...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("measure %s: %w\n%s", name, err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "Benchmark") {
			lines = append(lines, line)
		}
	}
	return lines, nil
}
