package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// PRX-42: an upstream that answers with headers without end is cut off.
func TestAHeaderWithoutEndIsNotCollected(t *testing.T) {
	for name, c := range map[string]struct{ size, status int }{"long": {maxAnswerHeaders / 2, 200}, "too long": {2 * maxAnswerHeaders, 502}} {
		g := newGateway(t, upstream(t, func(w http.ResponseWriter, r *http.Request) {
			for range c.size / 1024 {
				w.Header().Add("X-Filler", strings.Repeat("x", 1000))
			}
			io.WriteString(w, "ok")
		}), nil)
		res, err := (&http.Client{Transport: &http.Transport{MaxResponseHeaderBytes: 4 * maxAnswerHeaders, DisableKeepAlives: true}}).Get(g.URL + "/x")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", name, res.StatusCode, c.status)
		}
	}
}
