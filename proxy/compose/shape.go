package compose

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/itchyny/gojq"
)

// maxShaping bounds the time that a shape takes. What is allowed in one takes a hundredth of it for legs of usual size.
const maxShaping = 500 * time.Millisecond

// ErrShape is wrapped where a shape made no answer of the legs. The error says which kind of mistake it was, and nothing of the data.
var ErrShape = errors.New("the shape made no answer")

// shape is a compiled shape, safe for concurrent use.
type shape struct {
	code *gojq.Code
	user bool // it needs $user
	copy int  // how much one run may copy, in bytes
	time time.Duration
}

// newShape compiles text. The second result says what is wrong with it, and where.
func newShape(text string) (*shape, string) {
	if len(text) > maxShape {
		return nil, fmt.Sprintf("is longer than %d bytes", maxShape)
	}
	q, err := gojq.Parse(text)
	if err != nil {
		return nil, syntax(text, err)
	}
	in := inspection{used: map[string]bool{}}
	in.walk(reflect.ValueOf(q))
	if in.problem != "" {
		return nil, in.problem
	}
	code, err := gojq.Compile(q, bounds()...)
	if err != nil { // its text is of names in the shape
		return nil, fmt.Sprintf("is no shape: %v; it knows the variables $path, $query and $user", err)
	}
	return &shape{code: code, user: in.used["$user"], copy: maxCopied, time: maxShaping}, ""
}

// syntax says where jq stumbled.
func syntax(text string, err error) string {
	at, ok := errors.AsType[*gojq.ParseError](err)
	if !ok {
		return "is no jq"
	}
	start := max(0, at.Offset-len(at.Token))
	if at.Token == "" || start >= len(text) {
		return "is no jq: it ends too early; something was opened and not closed"
	}
	column := len([]rune(text[:start])) + 1
	before := []rune(text[:start])
	return fmt.Sprintf("is no jq: %q does not fit at character %d, behind %q", at.Token, column, string(before[max(0, len(before)-20):]))
}

// run makes the client's answer of input. Values are jq's: what decode makes.
func (s *shape) run(ctx context.Context, input any, path, query map[string]string, user any, limit int) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.time)
	defer cancel()
	it := s.code.RunWithContext(ctx, input, texts(path), texts(query), user, &budget{left: s.copy})
	v, ok := it.Next()
	if !ok {
		return nil, fmt.Errorf("%w: it has no value", ErrShape)
	}
	if err, bad := v.(error); bad {
		return nil, shapeError(ctx, err)
	}
	if next, more := it.Next(); more {
		if err, bad := next.(error); bad {
			return nil, shapeError(ctx, err)
		}
		return nil, fmt.Errorf("%w: it has more than one value; put [ ] around it", ErrShape)
	}
	if left := limit; !fits(v, &left) { // before anything is written: parts that are shared would be written again each time
		return nil, fmt.Errorf("%w: %w", ErrShape, errLarge)
	}
	out, err := gojq.Marshal(v)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: it cannot be written", ErrShape)
	case len(out) > limit: // escapes
		return nil, fmt.Errorf("%w: %w", ErrShape, errLarge)
	}
	return out, nil
}

var errLarge = errors.New("it is larger than the route allows")

// shapeError keeps the kind of a mistake. jq's own words quote the data.
func shapeError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		if cause := context.Cause(ctx); !errors.Is(cause, context.DeadlineExceeded) {
			return cause // whoever ended the request
		}
		return fmt.Errorf("%w: it takes longer than %v", ErrShape, maxShaping)
	}
	if own, ok := errors.AsType[boundError](err); ok {
		return fmt.Errorf("%w: %w", ErrShape, own)
	}
	return fmt.Errorf("%w: %s", ErrShape, strings.TrimPrefix(fmt.Sprintf("%T", err), "*gojq."))
}

// plain is v as jq wants it, and a copy. What jq does not know is null.
func plain(v any) any {
	switch v := v.(type) {
	case string, bool, float64, int, json.Number:
		return v
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			out[k] = plain(item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = plain(item)
		}
		return out
	case []string:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = item
		}
		return out
	}
	return nil
}

// texts is m as jq wants it.
func texts(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}
