package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"cloakroom/e2e/stack"
)

// legs are the parts of the composed answer.
var legs = []string{"me", "orders", "rates"}

// composed compares a composed answer with its parts, asked for one by one. It is an error if it costs as much.
func (b *bench) composed(ctx context.Context, w io.Writer) error {
	r, err := b.replica(ctx, "compose", func(c *stack.Config) { c.Routes = composedRoutes(b.upstream) })
	if err != nil {
		return err
	}
	cookie, err := b.signIn(ctx, r)
	if err != nil {
		return err
	}
	whole := make([]string, len(legs))
	for i, leg := range legs {
		whole[i] = fmt.Sprintf("%q:%s", leg, answer)
	}
	var sides []*side
	for _, c := range []struct{ name, path, want string }{
		{"three parts", "/api/orders", answer},
		{"composed", "/page", "{" + strings.Join(whole, ",") + "}"},
		{"composed, with a shape", "/shaped", `{"me":2,"totals":["12.50","8.00"]}`},
	} {
		s := b.side(c.name, r, cookie)
		s.url, s.want = "http://"+r.Address+c.path, c.want
		sides = append(sides, s)
	}
	err = b.interleave(ctx, sides, func(ctx context.Context, s *side) error {
		if err := b.once(ctx, s); err != nil || s != sides[0] {
			return err
		}
		s.samples[len(s.samples)-1] *= float64(len(legs)) // a page takes all of them
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Fprint(w, "CPU time per signed-in page of three parts\n\n")
	table(w, sides)
	for _, s := range sides[1:] {
		if ratio(w, s, sides[0]) >= 1 {
			err = fmt.Errorf("%s costs no less than its parts one by one", s.name)
		}
	}
	return err
}

func composedRoutes(upstream string) string {
	var text, all strings.Builder
	for _, leg := range legs {
		fmt.Fprintf(&all, "      %s: {url: '%s/%s'}\n", leg, upstream, leg)
	}
	fmt.Fprintf(&text, "  - path: /api/orders\n    upstream: %s\n", upstream)
	fmt.Fprintf(&text, "  - path: /page\n    compose:\n%s", all.String())
	fmt.Fprintf(&text, "  - path: /shaped\n    shape: '{me: (.me.items | length), totals: [.orders.items[] | .total]}'\n    compose:\n%s", all.String())
	return text.String()
}
