package schema

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// template is a path of a description, such as /orders/{id}. It is matched with a path that is decoded already, segment by segment: the edge lets no
// encoded slash through, so a segment here is a segment at the upstream.
type template struct {
	text     string
	segments []segment
}

// segment is a literal, a whole parameter, or text with parameters in it, such as report.{format}.
type segment struct {
	literal string
	names   []string
	pattern *regexp.Regexp // nil for a literal and for a whole parameter
}

var braces = regexp.MustCompile(`\{([^{}]+)\}`)

func parseTemplate(text string) (template, error) {
	t := template{text: text}
	if !strings.HasPrefix(text, "/") {
		return t, fmt.Errorf("path %q does not start with /", text)
	}
	for part := range strings.SplitSeq(text[1:], "/") {
		s := segment{literal: part}
		for _, m := range braces.FindAllStringSubmatch(part, -1) {
			s.names = append(s.names, m[1])
		}
		if len(s.names) > 0 && part != "{"+s.names[0]+"}" {
			s.pattern = partial(part)
		}
		t.segments = append(t.segments, s)
	}
	return t, nil
}

// partial is the pattern of a segment that is a parameter in part only.
func partial(part string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString("^")
	for {
		at := braces.FindStringIndex(part)
		if at == nil {
			return regexp.MustCompile(b.String() + regexp.QuoteMeta(part) + "$")
		}
		b.WriteString(regexp.QuoteMeta(part[:at[0]]) + "(.+)")
		part = part[at[1]:]
	}
}

// rank orders segments: a literal wins over a parameter, and part of one over a whole.
func (s segment) rank() int {
	switch {
	case len(s.names) == 0:
		return 0
	case s.pattern != nil:
		return 1
	}
	return 2
}

// specific orders templates, the most specific first.
func specific(a, b template) int {
	return cmp.Or(slices.CompareFunc(a.segments, b.segments, func(x, y segment) int { return cmp.Compare(x.rank(), y.rank()) }), cmp.Compare(a.text, b.text))
}

// match holds the segments of a path against the template. The values are those of the parameters, in order.
func (t template) match(segments []string) (values []string, ok bool) {
	if len(segments) != len(t.segments) {
		return nil, false
	}
	for i, s := range t.segments {
		switch {
		case len(s.names) == 0:
			if segments[i] != s.literal {
				return nil, false
			}
		case s.pattern != nil:
			m := s.pattern.FindStringSubmatch(segments[i])
			if m == nil {
				return nil, false
			}
			values = append(values, m[1:]...)
		case segments[i] == "":
			return nil, false
		default:
			values = append(values, segments[i])
		}
	}
	return values, true
}

// names are the parameters, in order.
func (t template) names() (all []string) {
	for _, s := range t.segments {
		all = append(all, s.names...)
	}
	return all
}

// Area is the paths of the upstream that a route leads to.
type Area struct {
	// Segments are those that all have in common; "" stands for any one.
	Segments []string
	// Open is whether further ones may follow.
	Open bool
}

// reaches reports whether some path of the area may match the template, behind base.
func (a Area) reaches(base []string, t template) bool {
	all := make([]segment, 0, len(base)+len(t.segments))
	for _, b := range base {
		all = append(all, segment{literal: b})
	}
	all = append(all, t.segments...)
	if len(all) < len(a.Segments) || len(all) > len(a.Segments) && !a.Open {
		return false
	}
	for i, want := range a.Segments {
		switch s := all[i]; {
		case want == "" || len(s.names) > 0 && s.pattern == nil:
		case s.pattern != nil:
			if !s.pattern.MatchString(want) {
				return false
			}
		case s.literal != want:
			return false
		}
	}
	return true
}

// String is the area as people write it.
func (a Area) String() string {
	var b strings.Builder
	for _, s := range a.Segments {
		b.WriteByte('/')
		b.WriteString(cmp.Or(s, "{any}"))
	}
	if a.Open {
		b.WriteByte('/')
	}
	return cmp.Or(b.String(), "/")
}
