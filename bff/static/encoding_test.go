package static

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCodings(t *testing.T) {
	for _, c := range []struct {
		name   string
		accept []string
		want   string
	}{
		{"a browser's list: the better one first", []string{"gzip, deflate, br, zstd"}, "br gzip"},
		{"the same weight: the better one first", []string{"gzip;q=0.8, br;q=0.8"}, "br gzip"},
		{"what the client likes better", []string{"gzip;q=1.0, br;q=0.9"}, "gzip br"},
		{"several lines are one list", []string{"gzip", "br"}, "br gzip"},
		{"letters of any case", []string{"BR;Q=0.5"}, "br"},
		{"the old name of gzip", []string{"x-gzip"}, "gzip"},
		{"spaces around", []string{" gzip ; q=0.5 , br;q=0 "}, "gzip"},
		{"refused", []string{"br;q=0, gzip;q=0.000"}, ""},
		{"anything", []string{"*"}, "br gzip"},
		{"anything but one", []string{"*, br;q=0"}, "gzip"},
		{"nothing", []string{"*;q=0"}, ""},
		{"one and nothing else", []string{"gzip, *;q=0"}, "gzip"},
		{"the file as it is, rather", []string{"identity, br;q=0.5, gzip;q=0.5"}, ""},
		{"the file as it is, if need be", []string{"identity;q=0.1, gzip;q=0.5"}, "gzip"},
		{"not as it is", []string{"identity;q=0, *"}, "br gzip"},
		{"no header", nil, ""},
		{"an empty header", []string{""}, ""},
		{"others", []string{"deflate, zstd, xbr, gzipped"}, ""},
		{"a weight that is none", []string{"br;q=2, gzip;q=x"}, ""},
		{"a weight that is not a number", []string{"br;q=NaN, gzip;q=Inf"}, ""},
		{"a negative weight", []string{"br;q=-1"}, ""},
	} {
		if got := strings.Join(codings(c.accept), " "); got != c.want {
			t.Errorf("%s: %q gives %q, want %q", c.name, c.accept, got, c.want)
		}
	}
}

// FuzzCodings: nothing is sent coded to a client that did not name the coding, or *.
func FuzzCodings(f *testing.F) {
	for _, s := range []string{"gzip, br", "*;q=0.1", "br;q=0", "x-gzip;q=1", ";;,,=", "identity;q=1, *;q=0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		got := codings([]string{accept})
		for _, coding := range got {
			if s := strings.ToLower(accept); !strings.Contains(s, coding) && !strings.Contains(s, "*") {
				t.Errorf("%q gives %q", accept, got)
			}
		}
		if len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Errorf("%q gives %q", accept, got)
		}
	})
}

func TestASiblingOfAnotherBuildIsNotSent(t *testing.T) {
	dir := app(t)
	h := handler(t, Config{Dir: dir})
	original := filepath.Join(dir, "assets", "index-B-x3Kd9_.js")
	at := time.Now().Add(-time.Hour)
	age := func(name string, by time.Duration) {
		if err := os.Chtimes(name, at.Add(-by), at.Add(-by)); err != nil {
			t.Fatal(err)
		}
	}
	age(original, 0)
	age(original+".br", time.Minute)
	age(original+".gz", time.Second)
	if res := ask(h, "GET", "/assets/index-B-x3Kd9_.js", "Accept-Encoding", "br, gzip"); body(res) != "GZ" {
		t.Errorf("got %v, want gzip: br is a minute older than the original, gzip within what copying does", res.Header)
	}
}

// What is sent coded is a representation of its own: its length, its ranges and its tag (RFC 9110, sections 8.8.3 and 14.2).
func TestCodedAnswersAreWhole(t *testing.T) {
	h := handler(t, Config{Dir: app(t)})
	const script = "/assets/index-B-x3Kd9_.js"
	full := ask(h, "GET", script, "Accept-Encoding", "br")
	tag := full.Header.Get("Etag")
	if full.Header.Get("Content-Length") != "2" || full.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("got %v", full.Header)
	}
	if res := ask(h, "HEAD", script, "Accept-Encoding", "br"); res.Header.Get("Content-Length") != "2" || res.Header.Get("Etag") != tag || body(res) != "" {
		t.Errorf("HEAD: got %v", res.Header)
	}
	for _, c := range []struct {
		name   string
		header []string
		status int
		body   string
	}{
		{"a part of it", []string{"Range", "bytes=1-1", "If-Range", tag}, 206, "R"},
		{"a part of another version", []string{"Range", "bytes=1-1", "If-Range", `"old"`}, 200, "BR"},
		{"a part behind its end", []string{"Range", "bytes=2-"}, 416, ""},
		{"still the same", []string{"If-None-Match", `"x", ` + tag}, 304, ""},
		{"any version", []string{"If-None-Match", "*"}, 304, ""},
		{"changed", []string{"If-None-Match", `"x"`}, 200, "BR"},
		{"only that version", []string{"If-Match", tag}, 200, "BR"},
		{"only another version", []string{"If-Match", `"x"`}, 412, ""},
	} {
		res := ask(h, "GET", script, append(c.header, "Accept-Encoding", "br")...)
		got := body(res)
		if res.StatusCode != c.status || c.status < 300 && got != c.body || c.status == 412 && res.Header.Get("Content-Length") != "" {
			t.Errorf("%s: got %d %q %v", c.name, res.StatusCode, got, res.Header)
		}
		if c.status == 304 && (res.Header.Get("Etag") != tag || res.Header.Get("Vary") == "" || res.Header.Get("Cache-Control") == "") {
			t.Errorf("%s: a 304 renews what is stored, and has %v", c.name, res.Header)
		}
	}
	if res := ask(h, "GET", script, "If-None-Match", tag); res.StatusCode != 200 {
		t.Errorf("the tag of one coding is good for another: %d", res.StatusCode)
	}
}
