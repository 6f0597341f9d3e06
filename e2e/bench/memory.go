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
	root, err := stack.Root()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkCopyMemory$", "-benchtime", "1x", "./session")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("measure copies: %w\n%s", err, out)
	}
	fmt.Fprint(w, "Heap per copied session, and what the bound counts of it (session/copies.go)\n\n")
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "BenchmarkCopyMemory/") {
			fmt.Fprint(w, line)
		}
	}
	return nil
}
