package configs

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"cloakroom/proxy"
)

// loader reads a configuration from its main file and those that it includes. Each has a decoder of its own, with its own
// places, mistakes and keys; what concerns the whole is reported to the file that wrote it.
type loader struct {
	system
	path  string // of the main file
	cfg   Config
	own   Routing // what the main file itself has of the routes
	main  *decoder
	teams []*team
	// upstreams are the files that gave the upstreams their names.
	upstreams map[string]*decoder
	// rules are those that gave the rules theirs.
	rules   map[string]*decoder
	folders []string // in which a new file would be included
}

// team is one included file.
type team struct {
	*decoder
	Routing
	readable bool
}

func parse(path string, data []byte, sys system) (*Config, error) {
	l := &loader{system: sys, path: path, cfg: Default[Config](), main: newDecoder(path, filepath.Base(path), sys), upstreams: map[string]*decoder{}, rules: map[string]*decoder{}}
	if l.main.document(reflect.ValueOf(&l.cfg).Elem(), data) {
		l.include()
		l.judgeAll()
	}
	if mistakes := l.mistakes(); len(mistakes) > 0 {
		return nil, &Errors{Mistakes: mistakes, Files: l.files(), Patterns: patterns(l.path, l.cfg.Include)}
	}
	l.cfg.read = l.sources()
	return &l.cfg, nil
}

// include reads the included files and adds their routes to those of the main file.
func (l *loader) include() {
	found, folders := l.inclusions(l.cfg.Include)
	l.folders = folders
	l.own = l.cfg.Routing
	l.cfg.Upstreams, l.cfg.Rules = maps.Clone(l.own.Upstreams), maps.Clone(l.own.Rules)
	for name := range l.own.Upstreams {
		l.upstreams[name] = l.main
	}
	for name := range l.own.Rules {
		l.rules[name] = l.main
	}
	total := 0
	for _, n := range found {
		t := &team{decoder: newDecoder(n.path, n.name, l.system), Routing: Default[Routing]()}
		t.included = true
		l.teams = append(l.teams, t)
		data, err := l.read(n.path)
		if err != nil {
			l.main.mistake(n.key, l.main.nearestPlace(n.key), fmt.Sprintf("%s: %s", n.name, reason(err)))
			continue
		}
		if total += len(data); total > maxTotal {
			l.main.judge("include", fmt.Sprintf("names files that together are larger than %d bytes", maxTotal))
			return
		}
		t.readable = t.document(reflect.ValueOf(&t.Routing).Elem(), data)
		l.cfg.Routes = slices.Concat(l.cfg.Routes, t.Routes)
		share(t, "upstreams", "upstream", t.Upstreams, l.upstreams, l.cfg.Upstreams)
		share(t, "rules", "rule", t.Rules, l.rules, l.cfg.Rules)
	}
}

// share adds what an included file has of a map to that of all. owners are the files that gave the names.
func share[T any](t *team, section, what string, own map[string]T, owners map[string]*decoder, all map[string]T) {
	for name, one := range own {
		key := section + "." + name
		if first, ok := owners[name]; ok {
			t.judge(key, fmt.Sprintf("is the name of another %s, in %s:%d; names hold for all files", what, first.source.file, first.nearestPlace(key).line))
			continue
		}
		owners[name] = t.decoder
		all[name] = one
	}
}

// judgeAll asks every part whether it likes what it got, and the whole whether its parts go together.
func (l *loader) judgeAll() {
	l.cfg.Validate(l.judge)
	main := l.cfg
	main.Routing = l.own // by its own numbers
	l.main.below(reflect.ValueOf(main), "")
	for _, t := range l.teams {
		if t.readable {
			t.below(reflect.ValueOf(t.Routing), "")
		}
	}
	l.conflicts()
	l.descriptions()
	l.certificates()
}

// judge reports what is wrong with a key of the whole configuration, in the file that wrote it.
func (l *loader) judge(key, problem string) {
	d, key := l.owner(key)
	d.judge(key, problem)
}

// owner is the file that wrote a key of the whole configuration, and the key as it is there.
func (l *loader) owner(key string) (*decoder, string) {
	for section, owners := range map[string]map[string]*decoder{"upstreams.": l.upstreams, "rules.": l.rules} {
		name, ok := strings.CutPrefix(key, section)
		before, _, _ := strings.Cut(name, ".")
		if d := cmp.Or(owners[name], owners[before]); ok && d != nil { // a bad name may have a dot
			return d, key
		}
	}
	var n int
	if _, err := fmt.Sscanf(key, "routes[%d]", &n); err != nil {
		return l.main, key
	}
	_, rest, _ := strings.Cut(key, "]")
	first := len(l.own.Routes)
	if n < first {
		return l.main, key
	}
	for _, t := range l.teams {
		if n < first+len(t.Routes) {
			return t.decoder, fmt.Sprintf("routes[%d]%s", n-first, rest)
		}
		first += len(t.Routes)
	}
	return l.main, key
}

// conflicts reports the routes that ask for the same requests. It names the places of both: they may be far apart.
func (l *loader) conflicts() {
	routes := l.cfg.Routes
	for _, c := range proxy.Conflicts(l.cfg.Proxied()) {
		d, key := l.owner(fmt.Sprintf("routes[%d].path", c.B))
		other, otherKey := l.owner(fmt.Sprintf("routes[%d].path", c.A))
		line := other.nearestPlace(otherKey).line
		where := fmt.Sprintf("in line %d", line)
		if other != d {
			where = fmt.Sprintf("in %s:%d", other.source.file, line)
		}
		problem := fmt.Sprintf("%q conflicts with %s %s, %q: %s", routes[c.B].Path, otherKey, where, routes[c.A].Path, c.Reason)
		d.judge(key, other.redact(otherKey, problem))
	}
}

// descriptions reports what is wrong with the files that describe a route's API, at the key that names the file.
func (l *loader) descriptions() {
	proxy.Descriptions(l.cfg.Proxied(), l.cfg.Upstreams, func(route int, key, problem string) { l.judge(fmt.Sprintf("routes[%d].%s", route, key), problem) })
}

// mistakes are those of all files, the main one first.
func (l *loader) mistakes() []Mistake {
	all := l.main.sorted()
	for _, t := range l.teams {
		all = append(all, t.sorted()...)
	}
	return all[:min(len(all), maxMistakes)]
}
