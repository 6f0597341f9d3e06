package policy

import (
	"maps"
	"slices"
	"strings"
)

// roleTable turns an issuer's names of roles into ours, and adds what they include.
type roleTable struct {
	mapped map[string][]string
	// all are the roles that one includes, itself not among them, over any number of steps.
	all map[string][]string
}

func newRoleTable(cfg Config) roleTable {
	t := roleTable{mapped: cfg.MapRoles, all: make(map[string][]string, len(cfg.InheritRoles))}
	for role := range cfg.InheritRoles {
		seen := map[string]struct{}{}
		include(cfg.InheritRoles, role, seen)
		delete(seen, role) // only a cycle would have brought it back
		t.all[role] = slices.Sorted(maps.Keys(seen))
	}
	return t
}

// include adds what role includes to seen. It ends on cycles too: they are refused, but not here.
func include(direct map[string][]string, role string, seen map[string]struct{}) {
	for _, r := range direct[role] {
		if _, ok := seen[r]; !ok {
			seen[r] = struct{}{}
			include(direct, r, seen)
		}
	}
}

// effective are the roles of somebody with these names, sorted. A name that is mapped is not itself a role: only what it is mapped to.
func (t roleTable) effective(names []string, foreign bool) []string {
	var out []string
	add := func(role string) { out = append(append(out, role), t.all[role]...) }
	for _, name := range names {
		ours, ok := t.mapped[name]
		if !foreign || !ok {
			add(name)
			continue
		}
		for _, role := range ours {
			add(role)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// cycle is a way from role back to itself, or empty.
func cycle(direct map[string][]string, role string) string {
	seen := map[string]struct{}{}
	var walk func(at string, way []string) string
	walk = func(at string, way []string) string {
		for _, next := range direct[at] {
			if next == role {
				return strings.Join(append(way, role), " → ")
			}
			if _, ok := seen[next]; ok {
				continue
			}
			seen[next] = struct{}{}
			if found := walk(next, append(slices.Clone(way), next)); found != "" {
				return found
			}
		}
		return ""
	}
	return walk(role, []string{role})
}
