package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"cloakroom/e2e/stack"
)

// moreRoutes compares the cost of a request where there is one route and where there are many.
func (b *bench) moreRoutes(ctx context.Context, w io.Writer) error {
	var sides []*side
	cookie := ""
	for _, n := range []int{1, b.routes} {
		r, err := b.replica(ctx, fmt.Sprintf("routes-%d", n), func(c *stack.Config) { c.Routes = routes(b.upstream, n) })
		if err != nil {
			return err
		}
		if cookie == "" { // it is good for both: they share Redis and secrets
			if cookie, err = b.signIn(ctx, r); err != nil {
				return err
			}
		}
		sides = append(sides, b.side(fmt.Sprintf("%d routes", n), r, cookie))
	}
	if err := b.interleave(ctx, sides, b.once); err != nil {
		return err
	}
	fmt.Fprint(w, "CPU time per signed-in proxied request, by how many routes there are\n\n")
	table(w, sides)
	ratio(w, sides[1], sides[0])
	return nil
}

// routes are n: the one that is asked for, and others beside it with prefixes, exact paths and wildcards.
func routes(upstream string, n int) string {
	var text strings.Builder
	add := func(format string, args ...any) {
		fmt.Fprintf(&text, "  - path: "+format+"\n    upstream: "+upstream+"\n", args...)
	}
	for i := range n - 1 {
		switch i % 3 {
		case 0:
			add("/api/part-%d/", i)
		case 1:
			add("/api/part-%d", i)
		case 2:
			add("'/api/part-%d/{id}/items'", i)
		}
	}
	add("/api/orders")
	return text.String()
}
