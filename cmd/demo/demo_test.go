package main

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestListensOnLoopbackOnly(t *testing.T) {
	for _, address := range []string{":8080", "0.0.0.0:8080", "[::]:8080", "192.0.2.1:8080", "example.com:8080", "127.0.0.1.example.com:80", "8080"} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{"--listen", address}, &out, &errs); code != 2 || !strings.Contains(errs.String(), "--listen") {
			t.Errorf("--listen %s: exit code %d, stderr %q; want 2 and the reason", address, code, errs.String())
		}
	}
	for _, address := range []string{"localhost:8080", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST:1"} {
		if got, err := loopback(address); err != nil || got != address {
			t.Errorf("loopback(%q) = %q, %v; want it as it is", address, got, err)
		}
	}
}

func TestUsageMistakesAreRefused(t *testing.T) {
	for _, args := range [][]string{{"--no-such-flag"}, {"surplus"}} {
		if code := run(t.Context(), args, io.Discard, io.Discard); code != 2 {
			t.Errorf("run %v: exit code %d, want 2", args, code)
		}
	}
}

func TestAnAddressInUseIsSaid(t *testing.T) {
	taken, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"--listen", "localhost:" + port}, &out, &errs)
	if code != 1 || !strings.Contains(errs.String(), "in use") || out.Len() > 0 {
		t.Errorf("exit code %d, stdout %q, stderr %q; want 1, nothing, and what to do", code, out.String(), errs.String())
	}
}

// lines is a stdout whose first line can be waited for.
type lines struct {
	mu    sync.Mutex
	text  bytes.Buffer
	first chan string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text.Len() == 0 {
		l.first <- string(p)
	}
	return l.text.Write(p)
}

// visitor is a browser that runs no scripts: it keeps cookies, follows redirects and bounce pages, and submits forms.
type visitor struct {
	t      *testing.T
	client *http.Client
	app    string
	seen   *[]string // every body and header that came from the app's origin
}

// page is an answer, read to its end.
type page struct {
	status int
	url    *url.URL
	header http.Header
	body   string
}

func startDemo(t *testing.T) *visitor {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, errs := &lines{first: make(chan string, 1)}, &bytes.Buffer{}
	exit := make(chan int, 1)
	go func() { exit <- run(ctx, []string{"--listen", "localhost:0"}, out, errs) }()
	t.Cleanup(func() {
		stop()
		if code := <-exit; code != 0 {
			t.Errorf("demo ended with %d: %s", code, errs)
		}
	})
	select {
	case line := <-out.first:
		app := regexp.MustCompile(`http://localhost:\d+`).FindString(line)
		if app == "" || strings.Count(line, "\n") != 1 {
			t.Fatalf("demo says %q, want one line with the URL", line)
		}
		return newVisitor(t, app)
	case code := <-exit:
		exit <- code
		t.Fatalf("demo ended early: %s", errs)
	case <-time.After(30 * time.Second):
		t.Fatal("demo did not start")
	}
	return nil
}

func newVisitor(t *testing.T, app string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, app: app, client: &http.Client{Jar: jar, Timeout: 10 * time.Second}, seen: &[]string{}}
}

func (v *visitor) do(method, target string, form url.Values, header map[string]string) page {
	v.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequest(method, target, body)
	if err != nil {
		v.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for k, value := range header {
		req.Header.Set(k, value)
	}
	resp, err := v.client.Do(req)
	if err != nil {
		v.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	p := page{resp.StatusCode, resp.Request.URL, resp.Header, string(b)}
	if strings.HasPrefix(p.url.String(), v.app) {
		for name, values := range p.header {
			*v.seen = append(*v.seen, name+": "+strings.Join(values, " "))
		}
		*v.seen = append(*v.seen, p.body)
	}
	return p
}

var refresh = regexp.MustCompile(`<meta http-equiv="refresh" content="0;url=([^"]*)">`)

// navigate opens a URL as a person does and follows bounce pages, at most five.
func (v *visitor) navigate(method, target string, form url.Values) page {
	v.t.Helper()
	p := v.do(method, target, form, map[string]string{"Accept": "text/html", "Origin": originOf(v.t, target)})
	for range 5 {
		m := refresh.FindStringSubmatch(p.body)
		if m == nil {
			return p
		}
		next, err := p.url.Parse(html.UnescapeString(m[1]))
		if err != nil {
			v.t.Fatal(err)
		}
		p = v.do(http.MethodGet, next.String(), nil, map[string]string{"Accept": "text/html"})
	}
	v.t.Fatalf("bounced too often, last at %s", p.url)
	return page{}
}

func originOf(t *testing.T, target string) string {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return u.Scheme + "://" + u.Host
}

var action = regexp.MustCompile(`action="([^"]+)"`)

func (v *visitor) submit(p page, form url.Values) page {
	v.t.Helper()
	m := action.FindStringSubmatch(p.body)
	if m == nil {
		v.t.Fatalf("no form at %s (%d):\n%s", p.url, p.status, p.body)
	}
	to, err := p.url.Parse(html.UnescapeString(m[1]))
	if err != nil {
		v.t.Fatal(err)
	}
	return v.navigate(http.MethodPost, to.String(), form)
}

// call is a script's request to the app's own origin, its JSON decoded.
func (v *visitor) call(method, path, body string) (int, map[string]any) {
	v.t.Helper()
	req, err := http.NewRequest(method, v.app+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("X-CSRF", "1")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	resp, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	*v.seen = append(*v.seen, string(b))
	var decoded map[string]any
	_ = json.Unmarshal(b, &decoded) // not every answer is JSON: the status says what it is
	return resp.StatusCode, decoded
}

// signIn signs a ready-made user in and returns what GET /bff/user says.
func (v *visitor) signIn(user string) map[string]any {
	v.t.Helper()
	landed := v.submit(v.navigate(http.MethodGet, v.app+"/bff/login?return_to=/", nil), url.Values{"user": {user}})
	if landed.status != http.StatusOK || landed.url.String() != v.app+"/" {
		v.t.Fatalf("sign-in ends at %s with %d:\n%s", landed.url, landed.status, landed.body)
	}
	_, who := v.call(http.MethodGet, "/bff/user", "")
	if who["authenticated"] != true || who["sub"] != user {
		v.t.Fatalf("after the sign-in GET /bff/user says %v", who)
	}
	return who
}
