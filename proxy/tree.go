package proxy

import "strings"

// node is a place in the tree by which Match finds a path's group: what follows the segments that led here. ServeMux decides which patterns may stand side by
// side, and which of two is more specific; to find one it does more than is needed here, and allocates for it. The tree answers like it for every clean path.
type node struct {
	exact   *group // the path ends here
	slash   *group // it ends here with a slash: {$}
	rest    *group // whatever follows, be it the slash alone: /x/, /x/{rest...}
	literal map[string]*node
	any     *node // {name}
}

// add puts a group where its pattern belongs. Identical patterns have one group, so its place is free.
func (n *node) add(text string, g *group) {
	for text != "" {
		var segment string
		segment, text = cutSegment(text)
		switch {
		case segment == "{$}":
			n.slash = g
			return
		case segment == "" && text == "", strings.HasSuffix(segment, "...}"):
			n.rest = g
			return
		case strings.HasPrefix(segment, "{"):
			if n.any == nil {
				n.any = &node{}
			}
			n = n.any
		default:
			if n.literal == nil {
				n.literal = map[string]*node{}
			}
			if n.literal[segment] == nil {
				n.literal[segment] = &node{}
			}
			n = n.literal[segment]
		}
	}
	n.exact = g
}

// find answers the group of the most specific pattern: a literal segment before a wildcard, and both before what takes the rest, from left to right. The path
// starts with a slash or is empty. One that is not clean has none: ServeMux would redirect it.
func (n *node) find(path string) *group {
	switch path {
	case "":
		return n.exact
	case "/":
		if n.slash != nil {
			return n.slash
		}
		return n.rest
	}
	segment, rest := cutSegment(path)
	if next := n.literal[segment]; next != nil {
		if g := next.find(rest); g != nil {
			return g
		}
	}
	if n.any != nil {
		if g := n.any.find(rest); g != nil {
			return g
		}
	}
	return n.rest
}

// cutSegment cuts the first segment off a path that starts with a slash.
func cutSegment(path string) (segment, rest string) {
	if i := strings.IndexByte(path[1:], '/'); i >= 0 {
		return path[1 : i+1], path[i+1:]
	}
	return path[1:], ""
}

// clean reports whether a path is one that ServeMux would not redirect: from the root, without dot segments and empty ones.
func clean(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	for path != "" && path != "/" {
		var segment string
		if segment, path = cutSegment(path); segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return true
}
