package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// ProblemTypes is where a problem's type leads: this path and its code.
const ProblemTypes = "/bff/problems/"

// Problem is an error with two readers: Code and Detail are for the client, Err for the log.
// With a code of the [Catalog] nothing else is needed.
type Problem struct {
	// Status is the answer's; 0 is the catalog's.
	Status int
	// Code is the stable name, the last part of the problem's type.
	Code string
	// Detail is safe to show to anyone and holds nothing of the request; empty is the catalog's explanation.
	Detail string
	// Login is where to go where signing in would help: a path with query, on this origin.
	Login string
	// Continue is where a person may go on by their own hand: a path on this origin. Only pages show it.
	Continue string
	// Action is the way on that a page offers in place of Login and Continue, Aside a quieter one beside it. Only pages show them.
	Action, Aside Link
	// Members are further members of the document, for protocols that want their own, such as `error` in OAuth.
	Members map[string]any
	// Errors are the single faults of a request, each with its place. Only the document shows them: they may quote the request.
	Errors []Fault
	// RetryAfter is when trying again makes sense; rounded up to seconds. 0: not said.
	RetryAfter time.Duration
	// Header is added to the answer, and replaces what is there.
	Header http.Header
	// Err is the cause. It never leaves the server; may be nil.
	Err error
}

// Link is a way on for a person: a path with query on this origin, and what it says. Without a URL there is none.
type Link struct{ URL, Label string }

// Fault is one of several things that are wrong with a request (RFC 9457, section 3, has `errors` as its example).
type Fault struct {
	// Pointer is where in the body: a JSON pointer as a URI fragment, such as #/lines/0/quantity.
	Pointer string `json:"pointer,omitempty"`
	// Parameter is which one, where it is not the body.
	Parameter *Parameter `json:"parameter,omitempty"`
	// Detail says what would be right.
	Detail string `json:"detail"`
}

// Parameter is a part of a request that is not its body.
type Parameter struct {
	// In is path, query or header.
	In string `json:"in"`
	// Name is the parameter's; empty for the query as a whole.
	Name string `json:"name,omitempty"`
}

// Error is for the log.
func (p *Problem) Error() string {
	if p.Err == nil {
		return p.Code
	}
	return p.Code + ": " + p.Err.Error()
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Err }

// Handler makes a handler of f: an error that f returns goes to [Answer].
func Handler(f func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := f(w, r); err != nil {
			Answer(w, r, err)
		}
	})
}

// Answer turns an error into an answer and notes it in the Record. An error that is no [Problem] is answered 500 without a word about
// it. Where the client is gone nothing reaches anybody, and the log says so without alarm. Where an answer has begun, Answer panics
// with http.ErrAbortHandler: half an answer must not look like a whole one.
func Answer(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(r.Context(), err)
	rec := From(r.Context())
	rec.answered, rec.Code = true, p.Code
	if p.Err != nil {
		rec.Err = p.Err
	}
	if rec.out.status != 0 {
		if rec.out.hijacked {
			return // the connection is somebody else's now
		}
		panic(http.ErrAbortHandler)
	}
	p.header(w.Header())
	if wantsPage(r) && rec.pages != nil {
		err := rec.pages.answer(w, p, rec.ID)
		if err == nil {
			return
		}
		rec.Err = errors.Join(rec.Err, err)
	}
	p.json(w, rec.ID)
}

// problemOf completes a Problem, or makes one.
func problemOf(ctx context.Context, err error) Problem {
	p := Problem{Code: "internal", Err: err}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		p.Code = "client_gone" // whatever the handler took it for
	} else if found, ok := errors.AsType[*Problem](err); ok {
		p = *found
	}
	if p.Status == 0 {
		p.Status = entryOf(p.Code, http.StatusInternalServerError).Status
	}
	if p.Detail == "" {
		p.Detail = entryOf(p.Code, p.Status).Explanation
	}
	return p
}

// header sets what every problem has, whatever its form, and removes what a handler said about a body that will not come.
func (p *Problem) header(h http.Header) {
	for _, name := range []string{
		"Content-Length", "Content-Encoding", "Content-Disposition", "Content-Range",
		"Etag", "Last-Modified", "Accept-Ranges", "Location", "Refresh",
	} {
		delete(h, name)
	}
	h.Set("X-Cloakroom", "problem")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", OwnCSP)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept, Cookie, "+VaryCrossing)
	if p.Status == http.StatusUnauthorized {
		// RFC 9110, section 15.5.2, wants a challenge. No browser knows this one, so none pops up a window.
		h.Set("Www-Authenticate", `Cookie realm="cloakroom"`)
	}
	if p.RetryAfter > 0 {
		seconds := int64((p.RetryAfter + time.Second - 1) / time.Second)
		h.Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	for name, values := range p.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
}

// document is RFC 9457's, with our members. Its encoder escapes <, > and &.
type document struct {
	Type      string  `json:"type"`
	Title     string  `json:"title"`
	Status    int     `json:"status"`
	Detail    string  `json:"detail"`
	Code      string  `json:"code"`
	RequestID string  `json:"request_id,omitempty"`
	Login     string  `json:"login,omitempty"`
	Errors    []Fault `json:"errors,omitempty"`
}

// json answers a script.
func (p *Problem) json(w http.ResponseWriter, id string) {
	doc := document{
		Type: ProblemTypes + p.Code, Title: entryOf(p.Code, p.Status).Title, Status: p.Status,
		Detail: p.Detail, Code: p.Code, RequestID: id, Login: p.Login, Errors: p.Errors,
	}
	body, err := json.Marshal(doc)
	if len(p.Members) > 0 {
		body, err = p.withMembers(body)
	}
	if err != nil { // strings and a number: cannot happen
		panic(err)
	}
	send(w, p.Status, "application/problem+json", bytes.NewBuffer(append(body, '\n')))
}

// withMembers adds p.Members to a document; none of its own members is replaced.
func (p *Problem) withMembers(doc []byte) ([]byte, error) {
	all := make(map[string]any, len(p.Members)+8)
	for name, value := range p.Members {
		all[name] = value
	}
	if err := json.Unmarshal(doc, &all); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// send writes a complete answer. A failure means that the client is gone.
func send(w http.ResponseWriter, status int, contentType string, body *bytes.Buffer) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = body.WriteTo(w)
}
