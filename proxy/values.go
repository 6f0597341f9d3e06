package proxy

// HasValues reports whether the route's pattern has names, such as {id}.
func (rt *Route) HasValues() bool { return len(rt.values) > 0 }

// Value is the part of a path that a name in the route's pattern stands for. The path is one that the route matches.
func (rt *Route) Value(path, name string) (string, bool) {
	for _, v := range rt.values {
		if v.name == name {
			return v.of(path), true
		}
	}
	return "", false
}

// PathValues are the names in a route's pattern.
func (c Config) PathValues() (names []string) {
	for _, v := range pathValues(c.Path) {
		names = append(names, v.name)
	}
	return names
}
