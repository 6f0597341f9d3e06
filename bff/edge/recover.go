package edge

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
)

// Recover turns a panic into a 500, or cuts the connection where an answer has begun: half an answer
// must not look like a whole one. The stack goes to the log through the Record. http.ErrAbortHandler
// passes on: it is net/http's own way to cut a connection.
func Recover() Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				v := recover()
				if v == nil {
					return
				}
				if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so, too
					panic(v)
				}
				w.Header().Del("Set-Cookie") // whatever was half done did not happen
				Answer(w, r, &panicError{value: v, stack: debug.Stack()})
			}()
			next.ServeHTTP(w, r)
		})
	}
}

// panicError is a recovered panic.
type panicError struct {
	value any
	stack []byte
}

// Error names the runtime's own errors in full and all others by their type alone: the value of a panic may
// hold anything, a token too, and the stack says where it was.
func (p *panicError) Error() string {
	if err, ok := p.value.(runtime.Error); ok {
		return "panic: " + err.Error()
	}
	return fmt.Sprintf("panic: a value of type %T", p.value)
}
