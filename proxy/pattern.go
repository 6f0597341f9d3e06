package proxy

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A Conflict is a pair of routes that cannot stand side by side: some request would belong to both.
// A and B are indexes of the routes, A < B.
type Conflict struct {
	A, B   int
	Reason string
}

// Conflicts lists the routes that ask for the same requests: identical patterns (up to the names of wildcards) with a
// method in common, or patterns that overlap while neither is more specific. Routes whose path is no pattern are left out.
func Conflicts(routes []Config) []Conflict {
	l := newLayout()
	for i, c := range routes {
		l.add(&Route{Config: c.settled(), index: i})
	}
	l.addBare()
	return l.conflicts
}

// pattern is a path of the configuration that ServeMux takes.
type pattern struct {
	text string // as written
	key  string // the same for two patterns that match the same paths
	bare string // the path without its final slash, which the route takes too; "" for none
}

// readPattern reads a route's path. The second result says what is wrong with it, and is empty where nothing is.
func readPattern(path string) (pattern, string) {
	problem := badPath(path)
	if problem == "" {
		problem, _ = register(http.NewServeMux(), path, &group{}) // ServeMux has the last word
	}
	if problem != "" {
		return pattern{}, problem
	}
	return pattern{text: path, key: patternKey(strings.Split(path[1:], "/")), bare: bare(path)}, ""
}

// patternKey takes the names of wildcards away: they do not change what matches.
func patternKey(segments []string) string {
	var b strings.Builder
	for i, s := range segments {
		b.WriteByte('/')
		switch {
		case s == "{$}":
			b.WriteString(s)
		case s == "" && i == len(segments)-1, strings.HasSuffix(s, "...}"):
			b.WriteString("{...}")
		case strings.HasPrefix(s, "{"):
			b.WriteString("{}")
		default:
			b.WriteString(s)
		}
	}
	return b.String()
}

// bare is the path that ServeMux would redirect to the pattern: /x for /x/, /x/{$} and /x/{rest...}.
// A redirect would turn a POST into a GET or tell scripts to come again, so the route takes it at once.
func bare(path string) string {
	cut := strings.LastIndexByte(path, '/')
	switch last := path[cut+1:]; {
	case last == "", last == "{$}", strings.HasSuffix(last, "...}"):
		return path[:cut]
	}
	return ""
}

// register adds a pattern to mux and answers ServeMux's complaint, without its source positions, and the pattern that was there first, if it is about one.
func register(mux *http.ServeMux, path string, h http.Handler) (problem, other string) {
	defer func() {
		if p := recover(); p != nil { // ServeMux panics about patterns; to us they are configuration
			problem = fmt.Sprint(p)
			if _, after, ok := strings.Cut(problem, "conflicts with pattern "); ok {
				quoted, _ := strconv.QuotedPrefix(after)
				other, _ = strconv.Unquote(quoted)
			}
			if _, after, ok := strings.Cut(problem, "):\n"); ok {
				problem = strings.ReplaceAll(after, "\n", " ")
			}
			if _, after, ok := strings.Cut(problem, "at offset "); ok {
				problem = "at offset " + after
			}
		}
	}()
	mux.Handle(path, h)
	return "", ""
}

// layout collects routes into the groups that share a path, and the conflicts on the way.
type layout struct {
	mux       *http.ServeMux    // knows the conflicts
	tree      *node             // finds the groups
	groups    map[string]*group // by pattern key
	order     []*group
	conflicts []Conflict
}

func newLayout() *layout {
	return &layout{mux: http.NewServeMux(), tree: &node{}, groups: map[string]*group{}}
}

// add gives rt its place. A path that is no pattern is left out; Compile reports it.
func (l *layout) add(rt *Route) {
	p, problem := readPattern(rt.Config.Path)
	if problem == "" {
		rt.pattern = p
		l.place(p.key, p.text, rt)
	}
}

// place puts rt into the group of its key, or founds it.
func (l *layout) place(key, text string, rt *Route) {
	if g := l.groups[key]; g != nil {
		if other, method := g.take(rt); other != nil {
			l.conflict(other, rt, fmt.Sprintf("both take %s on the same paths", method))
		}
		return
	}
	g := &group{text: text}
	if reason, other := register(l.mux, text, g); reason != "" {
		first := rt
		if g := l.groups[patternKey(strings.Split(strings.TrimPrefix(other, "/"), "/"))]; g != nil {
			first = g.routes[0]
		}
		l.conflict(first, rt, reason)
		return
	}
	g.take(rt)
	l.tree.add(text, g)
	l.groups[key] = g
	l.order = append(l.order, g)
}

func (l *layout) conflict(a, b *Route, reason string) {
	l.conflicts = append(l.conflicts, Conflict{A: min(a.index, b.index), B: max(a.index, b.index), Reason: reason})
}

// addBare lets /x/ take /x too, unless a route has /x itself. Where /x/{$} and /x/ both could, the more specific does.
func (l *layout) addBare() {
	explicit := slices.Clone(l.order)
	slices.SortStableFunc(explicit, func(a, b *group) int { // {$} first
		return boolRank(strings.HasSuffix(b.text, "{$}")) - boolRank(strings.HasSuffix(a.text, "{$}"))
	})
	for _, g := range explicit {
		text := g.routes[0].pattern.bare
		if text == "" {
			continue
		}
		key := patternKey(strings.Split(text[1:], "/"))
		if l.groups[key] != nil {
			continue
		}
		for _, rt := range g.routes {
			l.place(key, text, rt)
		}
	}
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}
