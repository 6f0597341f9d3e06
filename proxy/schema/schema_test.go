package schema

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// orders is where a route with `strip_prefix: /api` and `upstream: …/v2` leads.
var orders = Place{
	Area:    Area{Segments: []string{"v2"}, Open: true},
	Foreign: func(name string) bool { return name == "X-User-Id" },
}

// document compiles testdata/orders.yaml, changed.
func document(t testing.TB, change ...string) *Requests {
	t.Helper()
	q, err := compileText(t, "orders.yaml", text(t, change...), Request{UncheckedMedia: []string{"multipart/form-data"}}, orders)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func text(t testing.TB, change ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "orders.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s := string(b)
	for i := 0; i < len(change); i += 2 {
		if !strings.Contains(s, change[i]) {
			t.Fatalf("orders.yaml has no %q", change[i])
		}
		s = strings.ReplaceAll(s, change[i], change[i+1])
	}
	return s
}

// compileText compiles a description that is in no file.
func compileText(t testing.TB, name, text string, c Request, at Place) (*Requests, error) {
	t.Helper()
	if c.Schema == "" {
		c.OpenAPI = name
	}
	q, err := NewDocuments(func(string) ([]byte, error) { return []byte(text), nil }).Requests(c, at)
	if err != nil {
		return nil, err
	}
	return q, nil
}

// asked is a request to the upstream.
type asked struct {
	method, path, query string
	header              http.Header
	body                string
}

func (a asked) head() http.Header {
	h := http.Header{"X-Tenant": {"acme"}}
	if a.body != "" {
		h["Content-Type"] = []string{"application/json"}
	}
	for name, values := range a.header {
		h[name] = values
	}
	return h
}

// judge does what the proxy does.
func judge(q *Requests, a asked) *Refusal {
	call, r := q.Match(a.method, a.path)
	if r != nil {
		return r
	}
	read, r := call.Head(a.head(), a.query, int64(len(a.body)))
	if r != nil || !read {
		return r
	}
	return call.Body([]byte(a.body))
}

// shown is a refusal as a line.
func shown(r *Refusal) string {
	if r == nil {
		return "passes"
	}
	var b strings.Builder
	b.WriteString(http.StatusText(r.Status) + ", " + r.Reason)
	for _, f := range r.Faults {
		b.WriteString("; " + f.Pointer + f.In)
		if f.Name != "" {
			b.WriteString(" " + f.Name)
		}
		b.WriteString(": " + f.Detail)
	}
	if r.Allow != nil {
		b.WriteString("; allow " + strings.Join(r.Allow, " "))
	}
	return b.String()
}

// sortFaults puts the faults of a line in order: a validator goes through a map.
func sortFaults(line string) string {
	parts := strings.Split(line, "; ")
	slices.Sort(parts[1:])
	return strings.Join(parts, "; ")
}

func sortedFaults(r *Refusal) string { return sortFaults(shown(r)) }
