package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// Plan is a composed route, compiled. It is safe for concurrent use.
type Plan struct {
	legs     []leg // by name
	declared map[string]bool
	shape    *shape // nil: the legs as they are
	shapes   map[string]*shape
	by       ShapeBy
	limit    int
	room     *Room         // nil: without end
	shaping  chan struct{} // one for each shape that may run at the same time
}

// leg is a leg with its name and its address read.
type leg struct {
	Leg
	name    string
	address address
}

// maxAnswer bounds an answer for which the route has no bound, in bytes.
const maxAnswer = 8 << 20

// New compiles a configuration. pathNames are those of Config.Validate. limit is the largest answer, in bytes; 0: 8 MiB. room is what all plans share; nil is without end.
func New(c Config, pathNames []string, limit int64, room *Room) (*Plan, error) {
	var problems []error
	report := func(key, problem string) { problems = append(problems, fmt.Errorf("%s: %s", key, problem)) }
	c.Validate(pathNames, report)
	p := &Plan{declared: map[string]bool{}, by: c.ShapeBy, limit: maxAnswer, room: room, shaping: make(chan struct{}, runtime.GOMAXPROCS(0))}
	if limit > 0 {
		p.limit = int(min(limit, 64<<20))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Legs)) {
		l := c.Legs[name]
		l.Validate(func(key, problem string) { report("compose."+name+"."+key, problem) })
		a, _ := l.address()
		p.legs = append(p.legs, leg{Leg: l, name: name, address: a})
		for _, q := range l.Query {
			p.declared[q] = true
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	if c.Shape != "" {
		p.shape, _ = newShape(c.Shape)
	}
	p.shapes = make(map[string]*shape, len(c.Shapes))
	for name, text := range c.Shapes {
		p.shapes[name], _ = newShape(text)
	}
	return p, nil
}

// Origin is where a leg's requests go: scheme and host, or the name of an upstream.
func (l Leg) Origin() string {
	a, _ := l.address()
	return a.origin
}

// Request is what a client's request has for the legs and the shape.
type Request struct {
	// Path has the values of the route's path by name, decoded; of {rest...} without the dots.
	Path map[string]string
	// RawQuery is the client's query.
	RawQuery string
	// Header has what chooses the shape.
	Header http.Header
	// User makes $user, of the values that encoding/json makes, and []string. It is only called where the shape needs it. nil: $user is null.
	User func() any
}

// Answer is what the client gets.
type Answer struct {
	// Body is JSON.
	Body []byte
	// Partial names the optional legs that failed, as the value of a structured header field (RFC 9651): `orders, prices`. Empty: none did.
	Partial string
}

// Run asks all legs and makes one answer of theirs. observe is told of each, one after the other, when all are over; nil is fine.
//
// Where a required leg fails, the others are cancelled, and the error is a [Failure] of the first one. Other errors wrap [ErrRequest] or
// [ErrShape], or are the cause that ended ctx.
func (p *Plan) Run(ctx context.Context, r Request, fetch Fetch, observe func(leg string, o Outcome, took time.Duration)) (*Answer, error) {
	shape, err := p.choose(r)
	if err != nil {
		return nil, err
	}
	targets, query, err := p.targets(r) // of all, before any is asked
	if err != nil {
		return nil, err
	}
	room := p.room.share(shape != nil)
	defer room.give()
	parts, failed := p.askAll(ctx, targets, fetch, shape != nil, room)
	for i := range parts {
		if parts[i].panic != nil {
			panic(parts[i].panic)
		}
		if observe != nil {
			observe(p.legs[i].name, outcome(parts[i].fail), parts[i].took)
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case failed != nil:
		return nil, failed
	}
	return p.answer(ctx, r, shape, query, parts)
}

// targets are what a request makes the legs ask for, in their order, and the declared parameters.
func (p *Plan) targets(r Request) ([]Target, map[string]string, error) {
	query, err := pick(r.RawQuery, p.declared)
	if err != nil {
		return nil, nil, err
	}
	targets := make([]Target, len(p.legs))
	for i := range p.legs {
		if targets[i], err = p.legs[i].address.fill(r.Path, query); err != nil {
			return nil, nil, err
		}
	}
	return targets, query, nil
}

// Targets are what Run would ask for, by leg. Its errors are Run's.
func (p *Plan) Targets(r Request) (map[string]Target, error) {
	if _, err := p.choose(r); err != nil {
		return nil, err
	}
	targets, _, err := p.targets(r)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Target, len(targets))
	for i, t := range targets {
		out[p.legs[i].name] = t
	}
	return out, nil
}

func outcome(f *Failure) Outcome {
	if f == nil {
		return OK
	}
	return f.Outcome
}

// choose finds the shape that a request asks for: by the query, by the header, or the default.
func (p *Plan) choose(r Request) (*shape, error) {
	if len(p.shapes) == 0 {
		return p.shape, nil
	}
	name := p.by.Default
	if p.by.Header != "" {
		switch values := r.Header.Values(p.by.Header); {
		case len(values) > 1:
			return nil, fmt.Errorf("%w: header %s given twice", ErrRequest, p.by.Header)
		case len(values) == 1:
			name = values[0]
		}
	}
	if p.by.Query != "" {
		q, err := pick(r.RawQuery, map[string]bool{p.by.Query: true})
		if err != nil {
			return nil, err
		}
		if v, ok := q[p.by.Query]; ok {
			name = v
		}
	}
	s := p.shapes[name]
	if s == nil {
		return nil, fmt.Errorf("%w: no shape of that name", ErrRequest)
	}
	return s, nil
}

// askAll asks all legs at the same time, and waits for all. The first required one that fails ends the others.
func (p *Plan) askAll(ctx context.Context, targets []Target, fetch Fetch, parse bool, room *share) (parts []part, failed *Failure) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	parts = make([]part, len(p.legs))
	var wg sync.WaitGroup
	for i := range p.legs {
		wg.Go(func() {
			l := &p.legs[i]
			parts[i] = l.ask(ctx, fetch, targets[i], parse, room)
			if fail := parts[i].fail; fail != nil && (!l.Optional || fail.Outcome == NoRoom) { // which is about the answer, not about the leg
				cancel(fail) // the first cause stays
			}
			if parts[i].panic != nil {
				cancel(nil)
			}
		})
	}
	wg.Wait()
	failed, _ = errors.AsType[*Failure](context.Cause(ctx))
	return parts, failed
}

// answer makes one answer of all parts.
func (p *Plan) answer(ctx context.Context, r Request, s *shape, query map[string]string, parts []part) (*Answer, error) {
	var partial []string
	for i := range parts {
		if parts[i].fail != nil {
			partial = append(partial, p.legs[i].name)
			parts[i].raw = null
		}
	}
	var body []byte
	var err error
	if s == nil {
		body, err = p.unshaped(parts)
	} else {
		body, err = p.shaped(ctx, r, s, query, parts)
	}
	if err != nil {
		return nil, err
	}
	return &Answer{Body: body, Partial: strings.Join(partial, ", ")}, nil
}

// unshaped is every part under its name, as it came.
func (p *Plan) unshaped(parts []part) ([]byte, error) {
	size := 2
	for i := range parts {
		size += len(p.legs[i].name) + 4 + len(parts[i].raw)
	}
	if size > p.limit {
		return nil, fmt.Errorf("%w: %w", ErrShape, errLarge)
	}
	b := bytes.NewBuffer(make([]byte, 0, size))
	for i := range parts {
		b.WriteByte("{,"[min(i, 1)])
		b.WriteString(`"` + p.legs[i].name + `":`)
		b.Write(parts[i].raw)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// shaped is what the shape makes of the parts. As many run at once as there are processors: that bounds the memory that they take together.
func (p *Plan) shaped(ctx context.Context, r Request, s *shape, query map[string]string, parts []part) ([]byte, error) {
	input := make(map[string]any, len(parts))
	for i := range parts {
		input[p.legs[i].name] = parts[i].value
	}
	var user any
	if s.user && r.User != nil {
		user = plain(r.User())
	}
	select {
	case p.shaping <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-p.shaping }()
	return s.run(ctx, input, r.Path, query, user, p.limit)
}
