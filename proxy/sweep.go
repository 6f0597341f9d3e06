package proxy

// Sweep closes, after Close, the connections that have become idle since: of requests that were under way then, and of such as had found their route and no
// connection yet. It reports whether there are any left. Upstreams that another table has are not touched.
func (t *Table) Sweep() (left bool) {
	for _, u := range t.services {
		if u.users.Load() > 0 {
			continue
		}
		u.close()
		for _, s := range u.servers {
			left = s.connected() || left
		}
	}
	return left
}

// connected reports whether the server has connections, of whichever generation of pools.
func (s *server) connected() bool {
	s.up.mu.Lock()
	defer s.up.mu.Unlock()
	open := s.current.Load().open.Load()
	for _, p := range s.retired {
		open += p.open.Load()
	}
	return open > 0
}
