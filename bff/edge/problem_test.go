package edge_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/edge"
)

// page is a stand-in for the real renderer.
func page(w io.Writer, p edge.Page) error {
	_, err := fmt.Fprintf(w, "<h1>%s</h1><p>%s</p><a href=%q>%s</a><i>%s</i>", html.EscapeString(p.Title), html.EscapeString(p.Text), p.Action, p.ActionLabel, p.RequestID)
	return err
}

// answer runs one failing handler behind the parts that answers need.
func answer(t *testing.T, err error, header http.Header, more ...edge.Middleware) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("GET", "/x?<script>", nil)
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	edge.Chain(edge.Handler(func(http.ResponseWriter, *http.Request) error { return err }),
		append([]edge.Middleware{edge.RequestID(), edge.SecurityHeaders(own), edge.WithPages("default-src 'self'", page)}, more...)...).ServeHTTP(w, r)
	return w
}

// ERR-01, HDR-08
func TestScriptsGetProblemDocuments(t *testing.T) {
	cause := errors.New("dial tcp 10.9.8.7:6379: NOAUTH token eyJ")
	w := answer(t, fmt.Errorf("keep alive: %w", &edge.Problem{Code: "signed_out", Login: "/bff/login", Err: cause}), nil)
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"type": "/bff/problems/signed_out", "title": "Signed out", "status": 401.0, "code": "signed_out",
		"detail": "This needs a signed-in user. Sign in and try again.", "login": "/bff/login", "request_id": w.Header().Get("X-Request-Id")}
	if fmt.Sprint(got) != fmt.Sprint(want) || w.Code != 401 {
		t.Errorf("status %d, document %v, want %v", w.Code, got, want)
	}
	for name, value := range map[string]string{"Content-Type": "application/problem+json", "X-Cloakroom": "problem", "Cache-Control": "no-store",
		"Www-Authenticate": `Cookie realm="cloakroom"`, "Content-Security-Policy": edge.OwnCSP, "X-Content-Type-Options": "nosniff"} {
		if got := w.Header().Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	if !strings.Contains(w.Header().Get("Vary"), "Sec-Fetch-Site") || !strings.Contains(w.Header().Get("Vary"), "Accept") {
		t.Errorf("Vary: %q", w.Header().Get("Vary"))
	}
}

// ERR-01: nothing of an error that is not a Problem leaves the server.
func TestOtherErrorsAreInternal(t *testing.T) {
	for _, accept := range []string{"", "text/html"} {
		w := answer(t, errors.New("redis: 10.9.8.7 said WRONGPASS hunter2"), http.Header{"Accept": {accept}})
		if body := w.Body.String(); w.Code != 500 || strings.Contains(body, "hunter2") || strings.Contains(body, "10.9.8.7") || !strings.Contains(body, "Something went wrong") {
			t.Errorf("status %d, body %s", w.Code, body)
		}
	}
}

// ERR-02
func TestPeopleGetPagesWithoutReflection(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header http.Header
		page   bool
	}{
		{"navigation", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}, true},
		{"navigation in a frame", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"iframe"}}, true},
		{"navigation of an old browser", http.Header{"Accept": {"text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}}, true},
		{"fetch that accepts pages", http.Header{"Sec-Fetch-Mode": {"cors"}, "Accept": {"text/html"}}, false},
		{"site without mode", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Accept": {"text/html"}}, false},
		{"script of an old browser", http.Header{"Accept": {"*/*"}}, false},
		{"nothing said", nil, false},
		{"handshake of an old browser", http.Header{"Accept": {"text/html"}, "Upgrade": {"websocket"}}, false},
	} {
		w := answer(t, &edge.Problem{Code: "signed_out", Login: "/bff/login?return_to=%2F"}, tt.header)
		isPage := w.Header().Get("Content-Type") == "text/html; charset=utf-8" && w.Header().Get("Content-Security-Policy") == "default-src 'self'"
		if isPage != tt.page || w.Code != 401 || w.Header().Get("X-Cloakroom") != "problem" || strings.Contains(w.Body.String(), "<script>") {
			t.Errorf("%s: status %d, %v, %s", tt.name, w.Code, w.Header(), w.Body)
		}
		if tt.page && !strings.Contains(w.Body.String(), `<a href="/bff/login?return_to=%2F">Sign in</a>`) {
			t.Errorf("%s: no way to sign in: %s", tt.name, w.Body)
		}
	}
}

func TestPageThatCannotBeMadeIsADocument(t *testing.T) {
	var rec *edge.Record
	broken := edge.WithPages("", func(w io.Writer, _ edge.Page) error { _, _ = io.WriteString(w, "half"); return io.ErrShortWrite })
	w := answer(t, &edge.Problem{Code: "not_found"}, http.Header{"Accept": {"text/html"}}, broken, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { rec = edge.From(r.Context()); next.ServeHTTP(w, r) })
	})
	if w.Code != 404 || w.Header().Get("Content-Type") != "application/problem+json" || strings.Contains(w.Body.String(), "half") || !errors.Is(rec.Err, io.ErrShortWrite) {
		t.Errorf("status %d, %v, %s; record has %v", w.Code, w.Header(), w.Body, rec.Err)
	}
}

func TestProblemSaysWhenToTryAgainAndWhatIsAllowed(t *testing.T) {
	w := answer(t, &edge.Problem{Code: "provider_unavailable", RetryAfter: 1200 * time.Millisecond}, nil)
	if got := w.Header().Get("Retry-After"); got != "2" || w.Code != 503 {
		t.Errorf("status %d, Retry-After %q, want 2", w.Code, got)
	}
	w = answer(t, &edge.Problem{Code: "method_not_allowed", Header: http.Header{"allow": {"GET, HEAD"}}}, nil)
	if got := w.Header().Get("Allow"); got != "GET, HEAD" || w.Code != 405 {
		t.Errorf("status %d, Allow %q", w.Code, got)
	}
	w = answer(t, &edge.Problem{Status: 418, Code: "teapot", Detail: "short & stout"}, nil)
	if w.Code != 418 || !strings.Contains(w.Body.String(), `"detail":"short \u0026 stout"`) || !strings.Contains(w.Body.String(), `"title":"I'm a teapot"`) {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
}

func TestWhatWasSaidAboutTheLostBodyIsTakenBack(t *testing.T) {
	w := httptest.NewRecorder()
	for _, name := range []string{"Content-Length", "Content-Encoding", "ETag", "Last-Modified", "Content-Range", "Content-Disposition", "Location"} {
		w.Header().Set(name, "1")
	}
	w.Header().Set("Set-Cookie", "kept=1")
	edge.Answer(w, httptest.NewRequest("GET", "/", nil), &edge.Problem{Code: "internal"})
	for name := range w.Header() {
		if w.Header().Get(name) == "1" {
			t.Errorf("%s is still there", name)
		}
	}
	if w.Header().Get("Set-Cookie") == "" {
		t.Error("a cookie that the handler set or cleared is lost")
	}
}

func TestClientThatWentAwayIsNoError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	err := &edge.Problem{Code: "session_store_unavailable", Err: fmt.Errorf("read session: %w", context.Canceled)}
	edge.Answer(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx), err)
	if w.Code != 499 {
		t.Errorf("status %d, want 499", w.Code)
	}
	w = httptest.NewRecorder()
	edge.Answer(w, httptest.NewRequest("GET", "/", nil), err)
	if w.Code != 503 {
		t.Errorf("status %d where somebody else cancelled, want 503", w.Code)
	}
}

func TestProblemIsAnErrorWithACause(t *testing.T) {
	var err error = &edge.Problem{Code: "internal", Err: io.ErrUnexpectedEOF}
	if !errors.Is(err, io.ErrUnexpectedEOF) || err.Error() != "internal: unexpected EOF" || (&edge.Problem{Code: "x"}).Error() != "x" {
		t.Errorf("error is %q", err)
	}
}

func TestCatalogIsCompleteAndInWords(t *testing.T) {
	code := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen, last := map[string]bool{}, 0
	for _, e := range edge.Catalog() {
		if !code.MatchString(e.Code) || seen[e.Code] || e.Title == "" || !strings.HasSuffix(e.Explanation, ".") || e.Status < 400 || e.Status > 599 || e.Status < last {
			t.Errorf("entry %+v", e)
		}
		seen[e.Code], last = true, e.Status
		if got, ok := edge.Lookup(e.Code); !ok || got != e {
			t.Errorf("Lookup(%q) = %+v, %v", e.Code, got, ok)
		}
	}
}

func TestTypeOfAProblemExplainsItself(t *testing.T) {
	h := edge.Chain(edge.Explain(), edge.RequestID(), edge.WithPages("default-src 'self'", page))
	for _, e := range edge.Catalog() {
		for _, accept := range []string{"text/html", "*/*"} {
			r := httptest.NewRequest("GET", edge.ProblemTypes+e.Code, nil)
			r.Header.Set("Accept", accept)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != 200 || !strings.Contains(html.UnescapeString(w.Body.String()), e.Title) || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Cloakroom") != "" {
				t.Errorf("%s for %s: status %d, %v, %s", e.Code, accept, w.Code, w.Header(), w.Body)
			}
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", edge.ProblemTypes+"%3Cb%3E", nil))
	if w.Code != 404 || strings.Contains(w.Body.String(), "<b>") {
		t.Errorf("unknown code: status %d, %s", w.Code, w.Body)
	}
}

func TestOnlyTopLevelNavigationsAreRedirected(t *testing.T) {
	nav := http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}
	for _, tt := range []struct {
		name, method string
		h            http.Header
		want         bool
	}{
		{"navigation", "GET", nav, true},
		{"HEAD", "HEAD", nav, true},
		{"form", "POST", nav, false},
		{"frame", "GET", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"iframe"}}, false},
		{"script", "GET", http.Header{"Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}, "Accept": {"text/html"}}, false},
		{"mode twice", "GET", http.Header{"Sec-Fetch-Mode": {"navigate", "navigate"}, "Sec-Fetch-Dest": {"document"}}, false},
		{"destination alone", "GET", http.Header{"Sec-Fetch-Dest": {"document"}}, false},
		{"old browser", "GET", http.Header{"Accept": {"TEXT/HTML;q=1, */*"}}, true},
		{"old browser's script", "GET", http.Header{"Accept": {"application/json"}}, false},
		{"a type that only starts alike", "GET", http.Header{"Accept": {"text/htmlx"}}, false},
		{"no header", "GET", nil, false},
	} {
		if got := edge.Navigation(&http.Request{Method: tt.method, Header: tt.h}); got != tt.want {
			t.Errorf("%s: Navigation = %v, want %v", tt.name, got, tt.want)
		}
	}
}
