// PLACEHOLDER so that package bff builds while this package is being written: replace this file, keep New, Deps{Log, Files, OnError}, ErrMethod and ErrDevServer, which bff uses.
package static

import (
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"strings"
)

// Deps are what the handler needs.
type Deps struct {
	Log     *slog.Logger
	Files   fs.FS // instead of Config.Dir, for an app that is part of the program
	OnError func(http.ResponseWriter, *http.Request, error)
}

// ErrMethod is a method other than GET and HEAD, ErrDevServer a development server that does not answer; every other error is "not found".
var (
	ErrMethod    = errors.New("method")
	ErrDevServer = errors.New("dev server does not answer")
)

// New serves the app.
func New(c Config, d Deps) (http.Handler, error) {
	files := d.Files
	if files == nil {
		files = os.DirFS(c.Dir)
	}
	fsrv := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'")
		name := strings.TrimPrefix(r.URL.Path, "/")
		if st, err := fs.Stat(files, name); name == "" || err != nil || st.IsDir() {
			http.ServeFileFS(w, r, files, "index.html")
			return
		}
		fsrv.ServeHTTP(w, r)
	}), nil
}
