package compose

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestALegsAddressIsFilledIn(t *testing.T) {
	path := map[string]string{"id": "a b?#é", "rest": "x/y z"}
	query := map[string]string{"page": "2&admin=1", "q": ""}
	for _, c := range []struct {
		name string
		leg  Leg
		want string
	}{
		{"a plain URL", Leg{URL: "http://users:9002/me"}, "/me"},
		{"the root", Leg{URL: "http://users:9002/"}, "/"},
		{"a query of its own", Leg{URL: "http://orders/v2/orders?limit=5&sort=-id"}, "/v2/orders?limit=5&sort=-id"},
		{"a path value is one segment", Leg{URL: "http://users/{id}/x"}, "/a%20b%3F%23%C3%A9/x"},
		{"a path value is one value in the query", Leg{URL: "http://users/x?of={id}&y=1"}, "/x?of=a+b%3F%23%C3%A9&y=1"},
		{"the rest is several segments", Leg{Upstream: "files", Path: "/files/{rest...}"}, "/files/x/y%20z"},
		{"a declared parameter is one value", Leg{URL: "http://orders/?limit=5", Query: []string{"page", "q", "absent"}}, "/?limit=5&page=2%26admin%3D1&q="},
		{"an undeclared parameter stays here", Leg{URL: "http://orders/"}, "/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, problem := c.leg.address()
			if problem != "" {
				t.Fatal(problem)
			}
			got, err := a.fill(path, query)
			text := got.RawPath
			if got.Query != "" {
				text += "?" + got.Query
			}
			if plain, _ := url.PathUnescape(got.RawPath); err != nil || text != c.want || plain != got.Path {
				t.Errorf("%v: %q (%q), %v; want %q", c.leg, text, got.Path, err, c.want)
			}
		})
	}
}

// LAW 4, PRX-22: what a client sends adds no segment, no dots, no second decoding.
func TestAValueThatIsNoSegmentIsRefused(t *testing.T) {
	a, _ := Leg{URL: "http://users/v1/{id}"}.address()
	for _, v := range []string{"", ".", "..", "a/b", "/", `a\b`, "%2e%2e", "%2f", "a%00", "\x00", "a\nb", "\x7f", "..;", "a;b=c", "\xff", "a\r\nHost: evil"} {
		if got, err := a.fill(map[string]string{"id": v}, nil); !errors.Is(err, ErrRequest) {
			t.Errorf("%q makes %+v, %v", v, got, err)
		}
	}
	a, _ = Leg{URL: "http://files/v1/{rest...}?of={rest}"}.address()
	for _, v := range []string{"../x", "x/../y", "x//y", "/x", "x/./y", "x/%2e%2e/y"} {
		if got, err := a.fill(map[string]string{"rest": v}, nil); !errors.Is(err, ErrRequest) {
			t.Errorf("%q makes %+v, %v", v, got, err)
		}
	}
}

func TestParametersThatAreNotClearAreRefused(t *testing.T) {
	declared := map[string]bool{"page": true}
	for _, q := range []string{"page=1&page=2", "page=1&%70age=2", "page=%zz", "%zz=1", "page=%ff"} {
		if got, err := pick(q, declared); !errors.Is(err, ErrRequest) {
			t.Errorf("%q: %v, %v", q, got, err)
		}
	}
	for q, want := range map[string]string{"page=1;page=2": "1;page=2", "a=%20&page=+x&b": " x", "page": "", "": "none", "pages=1": "none"} {
		got, err := pick(q, declared)
		value, ok := got["page"]
		if !ok {
			value = "none"
		}
		if err != nil || value != want {
			t.Errorf("%q: %q, %v; want %q", q, value, err, want)
		}
	}
}

func TestAnAddressThatIsNoneIsRefused(t *testing.T) {
	for _, l := range []Leg{
		{}, {URL: "users:9002/me"}, {URL: "//users/me"}, {URL: "ftp://users/me"}, {URL: "http://users"}, {URL: "http://users?x=1"}, {URL: "http:///me"}, {URL: "http://u:p@users/me"},
		{URL: "http://{id}/me"}, {URL: "http://users:{id}/me"}, {URL: "http://users/{id}x"}, {URL: "http://users/x{id}"}, {URL: "http://users/{rest...}/x"}, {URL: "http://users/../me"}, {URL: "http://users/a//b"},
		{URL: "http://users/%2e%2e/me"}, {URL: "http://users/a b"}, {URL: "http://users/me#x"}, {URL: "http://users/me?x=#y"}, {URL: "http://users/me?"}, {URL: "http://users/me?x={id}y"}, {URL: "http://users/me?x={rest...}"}, {URL: "http://users/me?{id}=1"},
		{URL: "http://users/me?x=%zz"}, {URL: "http://users/me", Upstream: "users"}, {Upstream: "users"}, {Path: "/me"}, {Upstream: "users", Path: "me"}, {URL: "http://users/a;b"},
	} {
		if problem := l.problem(); problem == "" {
			t.Errorf("%+v is taken", l)
		}
	}
}

// Whatever a client sends as a path value or as a query: the request that a leg makes has the segments that the configuration gives it, and
// the parameters that it names, no more, and the values arrive as they were sent.
func FuzzALegsAddress(f *testing.F) {
	for _, s := range [][3]string{{"7", "x/y", "page=2"}, {"..", "../..", "page=1&page=2"}, {"a?b#c", "a;b", "page=%26x%3d1"}, {"%2e%2e", "%2f", "a=1;page=2&%zz"}, {"\\", "http://evil/", "&&="}, {"é", "", "page=%ff"}} {
		f.Add(s[0], s[1], s[2])
	}
	leg := Leg{URL: "http://users:9002/v1/{id}/files/{rest...}?own=1&of={id}", Query: []string{"page"}}
	a, problem := leg.address()
	if problem != "" {
		f.Fatal(problem)
	}
	f.Fuzz(func(t *testing.T, id, rest, rawQuery string) {
		query, err := pick(rawQuery, map[string]bool{"page": true})
		if err != nil {
			return
		}
		got, err := a.fill(map[string]string{"id": id, "rest": rest}, query)
		if err != nil {
			return
		}
		u, err := url.Parse(leg.Origin() + got.RawPath + "?" + got.Query)
		if err != nil || u.Host != "users:9002" || u.Scheme != "http" || u.User != nil || u.Fragment != "" {
			t.Fatalf("%q, %q, %q make %+v: %v, %v", id, rest, rawQuery, got, u, err)
		}
		segments := strings.Split(got.RawPath[1:], "/")
		if len(segments) != 4+strings.Count(rest, "/") || segments[0] != "v1" || segments[2] != "files" {
			t.Errorf("%q, %q: segments %q", id, rest, segments)
		}
		for i, s := range segments {
			plain, err := url.PathUnescape(s)
			if err != nil || plain == "." || plain == ".." || strings.ContainsAny(plain, "/\\%;") || !utf8.ValidString(plain) || plain == "" && i < len(segments)-1 {
				t.Errorf("%q, %q: segment %q", id, rest, s)
			}
			if i == 1 && plain != id {
				t.Errorf("%q arrives as %q", id, plain)
			}
		}
		values, err := url.ParseQuery(got.Query)
		names := []string{"of", "own"}
		if page, ok := query["page"]; ok {
			names = append(names, "page")
			if values.Get("page") != page {
				t.Errorf("page %q arrives as %q", page, values.Get("page"))
			}
		}
		var real []string
		for name, v := range values {
			if real = append(real, name); len(v) != 1 {
				t.Errorf("%s is there %d times", name, len(v))
			}
		}
		if slices.Sort(real); err != nil || !slices.Equal(real, names) || values.Get("own") != "1" || values.Get("of") != id {
			t.Errorf("%q, %q: query %q, %v", id, rawQuery, got.Query, err)
		}
	})
}
