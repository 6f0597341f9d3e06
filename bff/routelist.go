package bff

import "cloakroom/configs"

// ListedRoute is a route in a table of all.
type ListedRoute struct {
	Path    string   `json:"path"`
	Methods []string `json:"methods"` // empty: all
	Auth    string   `json:"auth"`
	// Upstream are the URLs of the servers, or one name of `upstreams`.
	Upstream []string `json:"upstream"`
	File     string   `json:"file"`
	Line     int      `json:"line"`
}

// ListRoutes are the routes of all files, in the order of the files.
func ListRoutes(cfg *configs.Config) []ListedRoute {
	list := []ListedRoute{}
	for i, r := range cfg.Routes {
		l := ListedRoute{Path: r.Path, Methods: r.Methods, Auth: r.Auth, Upstream: r.Upstreams}
		if r.Upstream != "" {
			l.Upstream = []string{r.Upstream}
		}
		l.File, l.Line = cfg.Place(i)
		list = append(list, l)
	}
	return list
}
