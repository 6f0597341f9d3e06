package static

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// app is a folder as Vite builds it, with things in it and beside it that must not be served.
func app(t testing.TB) string {
	base := t.TempDir()
	dir := filepath.Join(base, "dist")
	for name, text := range map[string]string{
		"index.html": "<!doctype html><title>app</title>", "favicon.ico": "icon", "robots.txt": "User-agent: *", "sw.js": "self", "data": "no extension",
		"assets/index-B-x3Kd9_.js": "console.log(1)", "assets/index-B-x3Kd9_.js.br": "BR", "assets/index-B-x3Kd9_.js.gz": "GZ", "assets/style-DiwrgTda.css": "p{}", "assets/style-DiwrgTda.css.gz": "GZ",
		"assets/hero-portrait.jpg": "jpg", "assets/logo-1280x720.png": "png", "assets/report-20240131.pdf": "pdf", ".env": "SECRET=1", ".git/config": "secret", "assets/.hidden.js": "secret",
		".well-known/security.txt": "Contact: x", ".well-known/apple-app-site-association": "{}", ".well-known/.secret": "secret", "unknown.xyz": "<script>",
		"../secret.txt": "secret outside",
	} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"leak.txt": "../secret.txt", "absolute.txt": filepath.Join(base, "secret.txt"), "up": "..", "inside.txt": "robots.txt"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func onError(w http.ResponseWriter, _ *http.Request, err error) {
	for sentinel, status := range map[error]int{ErrNotFound: 404, ErrMethod: 405, ErrRead: 500, ErrDevServer: 502, ErrForeignOrigin: 403} {
		if errors.Is(err, sentinel) {
			w.WriteHeader(status)
			io.WriteString(w, err.Error())
			return
		}
	}
	w.WriteHeader(http.StatusTeapot)
}

func handler(t testing.TB, c Config) http.Handler {
	t.Helper()
	h, err := New(c, Deps{Origin: "http://localhost:8080", OnError: onError})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// ask sends a request whose path is taken as it is, as from the edge.
func ask(h http.Handler, method, path string, header ...string) *http.Response {
	r := httptest.NewRequest(method, "/", nil)
	r.URL.Path = path
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	w.Header().Set("Content-Security-Policy", "default-src 'none'") // as the edge does
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(res *http.Response) string { b, _ := io.ReadAll(res.Body); return string(b) }

var navigation = []string{"Sec-Fetch-Mode", "navigate", "Accept", "text/html"}

func TestWhatIsServed(t *testing.T) { // HDR-04
	h := handler(t, Config{Dir: app(t)})
	const forever, ask1 = "public, max-age=31536000, immutable", "no-cache"
	for _, c := range []struct {
		name, path string
		header     []string
		status     int
		kind, body string
		cache      string
	}{
		{"the page", "/", nil, 200, "text/html; charset=utf-8", "<!doctype html><title>app</title>", ask1},
		{"the page by its name", "/index.html", nil, 200, "text/html; charset=utf-8", "<!doctype html><title>app</title>", ask1},
		{"a path of the app's own router", "/orders/7", navigation, 200, "text/html; charset=utf-8", "<!doctype html><title>app</title>", ask1},
		{"the same in a browser without metadata", "/orders/7", []string{"Accept", "text/html,*/*"}, 200, "text/html; charset=utf-8", "<!doctype html><title>app</title>", ask1},
		{"a path of the app's with a dot", "/users/john.doe", navigation, 200, "text/html; charset=utf-8", "<!doctype html><title>app</title>", ask1},
		{"a folder is a path of the app's, never a listing", "/assets/", navigation, 200, "text/html; charset=utf-8", "<!doctype html><title>app</title>", ask1},
		{"a folder without its slash", "/assets", navigation, 200, "text/html; charset=utf-8", "<!doctype html><title>app</title>", ask1},
		{"a folder for a script", "/assets/", nil, 404, "", "", ""},
		{"fetch of an unknown path", "/orders/7", []string{"Sec-Fetch-Mode", "cors", "Accept", "*/*"}, 404, "", "", ""},
		{"fetch that would take HTML", "/orders/7", []string{"Sec-Fetch-Mode", "cors", "Accept", "text/html"}, 404, "", "", ""},
		{"a missing asset", "/assets/gone-DiwrgTda.js", navigation, 404, "", "", ""},
		{"a missing picture", "/gone.png", navigation, 404, "", "", ""},
		{"hashed script", "/assets/index-B-x3Kd9_.js", nil, 200, "text/javascript; charset=utf-8", "console.log(1)", forever},
		{"hashed style", "/assets/style-DiwrgTda.css", nil, 200, "text/css; charset=utf-8", "p{}", forever},
		{"a word is no hash", "/assets/hero-portrait.jpg", nil, 200, "image/jpeg", "jpg", ask1},
		{"a size is no hash", "/assets/logo-1280x720.png", nil, 200, "image/png", "png", ask1},
		{"a date is no hash", "/assets/report-20240131.pdf", nil, 200, "application/pdf", "pdf", ask1},
		{"unhashed file", "/robots.txt", nil, 200, "text/plain; charset=utf-8", "User-agent: *", ask1},
		{"service worker", "/sw.js", nil, 200, "text/javascript; charset=utf-8", "self", ask1},
		{"no extension", "/data", nil, 200, "application/octet-stream", "no extension", ask1},
		{"unknown extension is nothing that a browser would run", "/unknown.xyz", nil, 200, "application/octet-stream", "<script>", ask1},
		{"link inside the folder", "/inside.txt", nil, 200, "text/plain; charset=utf-8", "User-agent: *", ask1},
		{"well-known", "/.well-known/security.txt", nil, 200, "text/plain; charset=utf-8", "Contact: x", ask1},
		{"well-known for apps", "/.well-known/apple-app-site-association", nil, 200, "application/json", "{}", ask1},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := ask(h, "GET", c.path, c.header...)
			if res.StatusCode != c.status {
				t.Fatalf("got %d, want %d", res.StatusCode, c.status)
			}
			if c.status != 200 {
				return
			}
			if got := body(res); got != c.body || res.Header.Get("Content-Type") != c.kind || res.Header.Get("Cache-Control") != c.cache || res.Header.Get("Etag") == "" {
				t.Errorf("got %q, %v", got, res.Header)
			}
		})
	}
}

func TestWhatIsNeverServed(t *testing.T) {
	dir := app(t)
	h := handler(t, Config{Dir: dir})
	for _, p := range []string{"/.env", "/.git/config", "/assets/.hidden.js", "/.well-known/.secret", "/leak.txt", "/absolute.txt", "/up/secret.txt", "/../secret.txt", "/assets/../../secret.txt", "/..",
		"/..\\secret.txt", "//etc/passwd", "/assets//index.js", "/./.env", "/%2e%2e/secret.txt", "/secret.txt", "/index.html/", "/index.html\x00.txt", "/C:/secret.txt", "/etc/passwd", "", "secret.txt", "/a\n/.env"} {
		for _, header := range [][]string{nil, navigation} {
			res := ask(h, "GET", p, header...)
			if b := body(res); strings.Contains(strings.ToLower(b), "secret=") || strings.Contains(b, "secret outside") || b == "secret" || strings.Contains(b, "root:") || res.StatusCode >= 300 && res.StatusCode < 400 {
				t.Errorf("%q %v: got %d %q", p, header, res.StatusCode, b)
			}
			if header == nil && res.StatusCode != 404 {
				t.Errorf("%q: got %d, want 404", p, res.StatusCode)
			}
		}
	}
}

func TestFilesAreForReading(t *testing.T) {
	h := handler(t, Config{Dir: app(t)})
	for _, m := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO"} {
		if res := ask(h, m, "/"); res.StatusCode != 405 || res.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: got %d, Allow %q", m, res.StatusCode, res.Header.Get("Allow"))
		}
	}
	if res := ask(h, "HEAD", "/robots.txt"); res.StatusCode != 200 || body(res) != "" || res.Header.Get("Content-Length") != "13" {
		t.Errorf("HEAD: got %d %v", res.StatusCode, res.Header)
	}
}

func TestThePolicy(t *testing.T) { // HDR-05 HDR-06 BBA-6.1-28
	dir := app(t)
	for _, p := range []string{"/", "/orders/7", "/sw.js", "/favicon.ico"} {
		csp := ask(handler(t, Config{Dir: dir}), "GET", p, navigation...).Header["Content-Security-Policy"]
		if len(csp) != 1 {
			t.Fatalf("%s: got %q", p, csp)
		}
		for _, want := range []string{"default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"} {
			if !strings.Contains(csp[0], want) {
				t.Errorf("%s: %q lacks %s", p, csp[0], want)
			}
		}
		if strings.Contains(csp[0], "unsafe") || strings.Contains(csp[0], "*") {
			t.Errorf("%s: %q is not strict", p, csp[0])
		}
	}
	if got := ask(handler(t, Config{Dir: dir, CSP: "default-src 'self' cdn.test"}), "GET", "/").Header.Get("Content-Security-Policy"); got != "default-src 'self' cdn.test" {
		t.Errorf("own policy: got %q", got)
	}
}

func TestPrecompressed(t *testing.T) {
	h := handler(t, Config{Dir: app(t)})
	const script, style = "/assets/index-B-x3Kd9_.js", "/assets/style-DiwrgTda.css"
	etags := map[string]string{}
	for _, c := range []struct{ name, path, accept, encoding, body string }{
		{"brotli first", script, "gzip, deflate, br, zstd", "br", "BR"},
		{"gzip where brotli is not taken", script, "gzip", "gzip", "GZ"},
		{"brotli refused", script, "br;q=0, gzip;q=0.5", "gzip", "GZ"},
		{"refused by weight with decimals", script, "br; q=0.000, gzip;q=0", "", "console.log(1)"},
		{"anything", script, "*", "br", "BR"},
		{"anything but brotli", script, "*, br;q=0", "gzip", "GZ"},
		{"nothing", script, "*;q=0", "", "console.log(1)"},
		{"no header", script, "", "", "console.log(1)"},
		{"part of a name is no match", script, "xbr, gzipped", "", "console.log(1)"},
		{"only gzip is there", style, "gzip, br", "gzip", "GZ"},
		{"neither is there", "/robots.txt", "gzip, br", "", "User-agent: *"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := ask(h, "GET", c.path, "Accept-Encoding", c.accept)
			if got := body(res); got != c.body || res.Header.Get("Content-Encoding") != c.encoding || res.Header.Get("Vary") != "Accept-Encoding" || strings.Contains(res.Header.Get("Content-Type"), "zip") {
				t.Errorf("got %q, %v", got, res.Header)
			}
			key := c.path + c.encoding
			if tag := res.Header.Get("Etag"); etags[key] != "" && etags[key] != tag {
				t.Errorf("ETag changed from %s to %s", etags[key], tag)
			} else {
				etags[key] = tag
			}
		})
	}
	if etags[script] == etags[script+"br"] || etags[script+"gzip"] == etags[script+"br"] {
		t.Errorf("codings share a tag: %v", etags)
	}
}

func TestRevalidation(t *testing.T) {
	dir := app(t)
	h, replica := handler(t, Config{Dir: dir}), handler(t, Config{Dir: app(t)})
	tag := ask(h, "GET", "/").Header.Get("Etag")
	if other := ask(replica, "GET", "/").Header.Get("Etag"); other != tag {
		t.Errorf("replicas disagree: %s and %s", tag, other)
	}
	res := ask(h, "GET", "/orders", "If-None-Match", tag, "Accept", "text/html")
	if res.StatusCode != 304 || body(res) != "" || res.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("same tag: got %d %v", res.StatusCode, res.Header)
	}
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte("<title>rebuilt</title>"), 0o644); err != nil {
		t.Fatal(err)
	}
	if res := ask(h, "GET", "/", "If-None-Match", tag); res.StatusCode != 200 || body(res) != "<title>rebuilt</title>" {
		t.Errorf("after a build: got %d", res.StatusCode)
	}
}

func TestABuildMayReplaceTheFolder(t *testing.T) {
	dir := app(t)
	h := handler(t, Config{Dir: dir})
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	if res := ask(h, "GET", "/"); res.StatusCode != 404 {
		t.Errorf("during the build: got %d", res.StatusCode)
	}
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	if res := ask(h, "GET", "/"); body(res) != "new" {
		t.Errorf("after the build: got %d", res.StatusCode)
	}
}

func TestRanges(t *testing.T) {
	h := handler(t, Config{Dir: app(t)})
	if res := ask(h, "GET", "/robots.txt", "Range", "bytes=0-3"); res.StatusCode != 206 || body(res) != "User" {
		t.Errorf("got %d %v", res.StatusCode, res.Header)
	}
	if res := ask(h, "GET", "/robots.txt", "Range", "bytes=99-"); res.StatusCode != 416 {
		t.Errorf("beyond the end: got %d", res.StatusCode)
	}
}

func TestAnAppThatIsPartOfTheProgram(t *testing.T) {
	files := fstest.MapFS{"index.html": {Data: []byte("embedded")}, "assets/a-DiwrgTda.js": {Data: []byte("1")}}
	h, err := New(Config{}, Deps{OnError: onError, Files: files})
	if err != nil {
		t.Fatal(err)
	}
	if got := body(ask(h, "GET", "/x", navigation...)); got != "embedded" {
		t.Errorf("got %q", got)
	}
}

func TestAppsThatCannotBeServed(t *testing.T) {
	empty := t.TempDir()
	for name, c := range map[string]Config{"no such folder": {Dir: filepath.Join(empty, "gone")}, "no page in it": {Dir: empty}, "both": {Dir: empty, DevServer: "http://localhost:1"}, "foreign dev server": {DevServer: "http://192.0.2.1:5173"}} {
		_, err := New(c, Deps{OnError: onError})
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if c.DevServer == "" && !strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q does not say what to do", name, err)
		}
	}
	if res := ask(handler(t, Config{}), "GET", "/", navigation...); res.StatusCode != 404 {
		t.Errorf("no app: got %d", res.StatusCode)
	}
}

func TestTagsAreBounded(t *testing.T) {
	tags := newTags()
	file, err := open(os.DirFS(app(t)), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tags.now = func() time.Time { return time.Now().Add(time.Hour) } // the file's time is settled
	for i := range maxTags + 10 {
		if _, err := tags.of(fmt.Sprint(i), file); err != nil {
			t.Fatal(err)
		}
	}
	if len(tags.known) > maxTags {
		t.Errorf("%d tags", len(tags.known))
	}
}

// FuzzPath: no path leads to a file outside the folder or to a hidden one.
func FuzzPath(f *testing.F) {
	for _, p := range []string{"/", "/.env", "/../secret.txt", "/up/secret.txt", "/leak.txt", "//", "/assets/../.env", "/.well-known/../.env", "/a\\..\\b"} {
		f.Add(p)
	}
	h := handler(f, Config{Dir: app(f)})
	f.Fuzz(func(t *testing.T, path string) {
		if b := body(ask(h, "GET", path, navigation...)); strings.Contains(b, "SECRET=") || strings.HasPrefix(b, "secret") {
			t.Errorf("%q: got %q", path, b)
		}
	})
}
