package configs

import (
	"fmt"
	"maps"
	"slices"
)

// sources are where a configuration was read from.
type sources struct {
	files, folders []string
	routes         []routePlace
}

// routePlace is where a route stands.
type routePlace struct {
	file string
	line int
}

// Files are all files that the configuration was read from: the main one first, then the included ones and those that values and
// keys name, such as secrets and certificates, sorted.
func (c *Config) Files() []string { return slices.Clone(c.read.files) }

// Folders are those that a pattern of include looks into. A file that comes or goes there changes the configuration.
func (c *Config) Folders() []string { return slices.Clone(c.read.folders) }

// Place is the file and line in which the route with this index stands, as error messages name them. Of a configuration that
// was made without a file, it is empty and 0.
func (c *Config) Place(route int) (file string, line int) {
	if route < 0 || route >= len(c.read.routes) {
		return "", 0
	}
	p := c.read.routes[route]
	return p.file, p.line
}

// sources are what the loader has read from.
func (l *loader) sources() sources {
	s := sources{files: l.files(), folders: l.folders}
	for i := range l.cfg.Routes {
		d, key := l.owner(fmt.Sprintf("routes[%d].path", i))
		s.routes = append(s.routes, routePlace{d.source.file, d.nearestPlace(key).line})
	}
	return s
}

// files are all files that had a part in the configuration, the main file first.
func (l *loader) files() []string {
	used := map[string]bool{}
	for _, t := range l.teams {
		for _, path := range t.used {
			used[path] = true
		}
	}
	for _, path := range l.main.used {
		used[path] = true
	}
	delete(used, l.path)
	return append([]string{l.path}, slices.Sorted(maps.Keys(used))...)
}
