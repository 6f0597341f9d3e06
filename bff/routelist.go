package bff

import (
	"maps"
	"net/http"
	"slices"

	"cloakroom/configs"
	"cloakroom/proxy/tokens"
)

// ListedRoute is a route in a table of all.
type ListedRoute struct {
	Path    string   `json:"path"`
	Methods []string `json:"methods"` // empty: all
	Auth    string   `json:"auth"`
	// Upstream are the URLs of the servers, or one name of `upstreams`; of a composed route those of its legs.
	Upstream []string `json:"upstream"`
	// Token is how the access token comes about that the upstream gets.
	Token string `json:"token"`
	File  string `json:"file"`
	Line  int    `json:"line"`
}

// ListRoutes are the routes of all files, in the order of the files.
func ListRoutes(cfg *configs.Config) []ListedRoute {
	list := []ListedRoute{}
	for i, r := range cfg.Routes {
		if r.On() && len(r.Methods) == 0 {
			r.Methods = []string{http.MethodGet} // a composed answer is read only
		}
		l := ListedRoute{Path: r.Path, Methods: r.Methods, Auth: r.Auth, Upstream: r.Upstreams, Token: tokens.Of(r.Token, r.Auth != "none").Method}
		if r.Upstream != "" {
			l.Upstream = []string{r.Upstream}
		}
		for _, leg := range slices.Sorted(maps.Keys(r.Legs)) {
			l.Upstream = append(l.Upstream, r.Legs[leg].Origin())
		}
		l.File, l.Line = cfg.Place(i)
		list = append(list, l)
	}
	return list
}
