package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"cloakroom/e2e/stack"
)

// manyRules measures what a thousand routes cost that each have rules of their own: inside, their wiring and memory, and from outside a reload of them.
func (b *bench) manyRules(ctx context.Context, w io.Writer) error {
	lines, err := benchmark(ctx, "./bff", "^BenchmarkWiring$", "-benchtime", "5x")
	if err != nil {
		return err
	}
	fmt.Fprint(w, "A thousand routes, without rules and with: reading the configuration, wiring it, and the heap that it keeps\n\n", strings.Join(lines, ""))
	r, err := b.replica(ctx, "manyrules", func(c *stack.Config) { c.Routes = manyRuled(b.upstream, b.routes) })
	if err != nil {
		return err
	}
	text, err := os.ReadFile(b.stack.ConfigPath)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	t := &turning{bench: b, replica: r, generation: 1}
	t.texts = [2]string{string(text), strings.ReplaceAll(string(text), "role-0", "role-1")}
	cost, err := t.cost(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nA reload of %d routes with rules, of which a thousandth changes, takes %.0f ms of CPU time\n", b.routes, cost)
	return nil
}

// manyRuled are n routes with roles, an expression of their own and a limit.
func manyRuled(upstream string, n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "  - path: '/part-%d/{id}'\n    upstream: %s\n    allow: {roles: [role-%d], when: 'request.method == \"GET\" || user.sub == request.values.id + \"-%d\"'}\n    limit: {rate: 100/1m, burst: 20}\n", i, upstream, i, i)
	}
	return text.String()
}
