package up

import (
	"io"
	"net/http"
	"path"
	"strconv"
)

// slow answers below …/silent/, …/begun/ and …/upload/: exchanges that a test stops in the middle, each by the name
// at the end of its path. It reports whether the path is one of them.
func (u *Upstream) slow(w http.ResponseWriter, r *http.Request) bool {
	kind := path.Base(path.Dir(r.URL.Path))
	gate := u.gate(kind + "/" + path.Base(r.URL.Path))
	if gate == nil {
		return false
	}
	switch kind {
	case "silent":
		if gate.pass(r.Context().Done()) {
			_, _ = io.WriteString(w, "all of it\n")
		}
	case "begun":
		_, _ = io.WriteString(w, "the first half\n")
		_ = http.NewResponseController(w).Flush()
		if gate.pass(r.Context().Done()) {
			_, _ = io.WriteString(w, "the second half\n")
		}
	case "upload":
		gate.take(w, r)
	default:
		return false
	}
	return true
}

// take reads a body whose first byte is at the gate, and says how long it was.
func (g *Gate) take(w http.ResponseWriter, r *http.Request) {
	first, err := io.ReadFull(r.Body, make([]byte, 1))
	g.arrived <- struct{}{}
	rest, err2 := io.Copy(io.Discard, io.LimitReader(r.Body, maxBody))
	if err != nil || err2 != nil {
		g.cut <- struct{}{}
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(w, strconv.FormatInt(int64(first)+rest, 10)+" bytes\n")
}

// pass stops here until the gate is released, or reports that the client was gone before that.
func (g *Gate) pass(gone <-chan struct{}) bool {
	g.arrived <- struct{}{}
	select {
	case <-g.release:
		return true
	case <-gone:
		g.cut <- struct{}{}
		return false
	}
}
