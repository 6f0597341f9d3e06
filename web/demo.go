package web

import (
	"embed"
	"io/fs"
)

//go:embed demo
var demoFiles embed.FS

// Demo is the demo's single-page app: index.html and what it loads, without a build step. It works under a policy
// of default-src 'self'.
func Demo() fs.FS {
	sub, err := fs.Sub(demoFiles, "demo")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}
