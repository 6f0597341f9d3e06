package static

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"
)

func TestAFolderMayHaveAPageOfItsOwn(t *testing.T) {
	files := fstest.MapFS{"index.html": {Data: []byte("app")}, "docs/index.html": {Data: []byte("docs")}, "empty/x.css": {Data: []byte("x")}}
	h, err := New(Config{}, Deps{OnError: onError, Files: files})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/docs/": "docs", "/docs": "app", "/empty/": "app", "/docs/index.html": "docs", "/": "app", "/docs/v1.2": "app"} {
		if got := body(ask(h, "GET", path, navigation...)); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	if res := ask(h, "GET", "/docs/", "Accept", "*/*"); body(res) != "docs" || res.Header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("a folder's page is a file: got %d %v", res.StatusCode, res.Header)
	}
	if res := ask(h, "GET", "/empty/", "Accept", "*/*"); res.StatusCode != 404 {
		t.Errorf("a folder without one: got %d", res.StatusCode)
	}
	res := ask(h, "GET", "/orders", navigation...)
	if got := strings.Join(res.Header["Vary"], ", "); got != "Accept, Sec-Fetch-Mode, Accept-Encoding" {
		t.Errorf("a path that is a page for navigations only has Vary %q", got)
	}
}

// HDR-03, HDR-07
func TestPagesHaveTheAppsPolicies(t *testing.T) {
	h := handler(t, Config{Dir: app(t)})
	for _, path := range []string{"/", "/sw.js", "/nested/route"} {
		got := ask(h, "GET", path, navigation...).Header
		if got.Get("Referrer-Policy") != "same-origin" || len(got["Permissions-Policy"]) != 1 {
			t.Errorf("%s: %v", path, got)
		}
	}
	for _, feature := range strings.Split(permissions, ", ") {
		if _, list, ok := strings.Cut(feature, "="); !ok || list != "()" && list != "(self)" {
			t.Errorf("%s: others than this origin may use it", feature)
		}
	}
	if !strings.Contains(permissions, "usb=()") || !strings.Contains(permissions, "fullscreen=(self)") {
		t.Error(permissions)
	}
}

// broken is a file system of which the system gives some files not.
type broken struct {
	fs.FS
	err error
}

func (b broken) Open(name string) (fs.File, error) {
	if name == "bad.js" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: b.err}
	}
	return b.FS.Open(name)
}

func TestAFileThatCannotBeReadIsNotMissing(t *testing.T) {
	for err, status := range map[error]int{syscall.EMFILE: 500, syscall.EIO: 500, syscall.EACCES: 500, syscall.ENOENT: 404, syscall.ENOTDIR: 404, syscall.ELOOP: 404, errors.New("path escapes"): 404} {
		h, bad := New(Config{}, Deps{OnError: onError, Files: broken{fstest.MapFS{"index.html": {}}, err}})
		if bad != nil {
			t.Fatal(bad)
		}
		if res := ask(h, "GET", "/bad.js"); res.StatusCode != status {
			t.Errorf("%v: got %d, want %d", err, res.StatusCode, status)
		}
	}
}

func TestAPipeIsNotWaitedFor(t *testing.T) {
	dir := app(t)
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.txt"), 0o644); err != nil {
		t.Fatal(err)
	}
	if res := ask(handler(t, Config{Dir: dir}), "GET", "/pipe.txt"); res.StatusCode != 404 {
		t.Errorf("got %d", res.StatusCode)
	}
}

// hurried notes the deadline of an answer.
type hurried struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

func (h *hurried) SetWriteDeadline(t time.Time) error { h.deadline = t; return nil }

func TestSlowClientsHaveTimeByTheSizeOfTheAnswer(t *testing.T) {
	for size, want := range map[int64]time.Duration{0: time.Minute, 32 << 10: time.Minute + time.Second, 1 << 30: time.Minute + 32768*time.Second} {
		if got := patience(size); got != want {
			t.Errorf("%d bytes: %v, want %v", size, got, want)
		}
	}
	w := &hurried{ResponseRecorder: httptest.NewRecorder()}
	begun := time.Now()
	handler(t, Config{Dir: app(t)}).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.deadline.Before(begun.Add(time.Minute)) || w.deadline.After(time.Now().Add(time.Minute)) {
		t.Errorf("the deadline is %v after the request", w.deadline.Sub(begun))
	}
}

func TestTypesOfWhatBuildsProduce(t *testing.T) { // HDR-04
	for name, want := range map[string]string{
		"a.html": "text/html; charset=utf-8", "a.js": "text/javascript; charset=utf-8", "a.mjs": "text/javascript; charset=utf-8", "a.css": "text/css; charset=utf-8",
		"a.wasm": "application/wasm", "a.webmanifest": "application/manifest+json", "a.svg": "image/svg+xml; charset=utf-8", "a.js.map": "application/json",
		"a.json": "application/json", "A.PNG": "image/png", "a.woff2": "font/woff2", "a.txt": "text/plain; charset=utf-8", "a.xml": "application/xml; charset=utf-8",
		"a.js.br": "application/octet-stream", "a.tar.gz": "application/gzip", "a": "application/octet-stream", "a.php": "application/octet-stream",
		".well-known/apple-app-site-association": "application/json",
	} {
		if got := contentType(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for ext, kind := range types {
		if strings.HasPrefix(kind, "text/") != strings.HasSuffix(kind, "charset=utf-8") && !strings.Contains(kind, "xml") {
			t.Errorf("%s: %q", ext, kind)
		}
	}
}

// BenchmarkHashedFile is a small script with its two siblings, as browsers ask for it.
func BenchmarkHashedFile(b *testing.B) {
	dir := app(b)
	old := time.Now().Add(-time.Hour)
	for _, suffix := range []string{"", ".br", ".gz"} {
		if err := os.Chtimes(filepath.Join(dir, "assets", "index-B-x3Kd9_.js"+suffix), old, old); err != nil {
			b.Fatal(err)
		}
	}
	h := handler(b, Config{Dir: dir})
	r := httptest.NewRequest("GET", "/assets/index-B-x3Kd9_.js", nil)
	r.Header.Set("Accept-Encoding", "gzip, deflate, br")
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusOK || w.Header().Get("Content-Encoding") != "br" {
			b.Fatal(w.Code, w.Header())
		}
	}
}
