package policy

import "sync"

// expressions are those that a Set has compiled: a thousand routes may share a rule, and each asks for it several times while it is wired. Compiling one takes most of a
// millisecond; what comes of it never changes. There are no more than the configuration has.
type expressions struct {
	mu    sync.Mutex
	known map[string]compiled
}

// compiled is what came of an expression.
type compiled struct {
	expression *expression
	err        error
}

// parse is parseExpression, once for each source.
func (x *expressions) parse(source string) (*expression, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	c, ok := x.known[source]
	if !ok {
		c.expression, c.err = parseExpression(source)
		x.known[source] = c
	}
	return c.expression, c.err
}
