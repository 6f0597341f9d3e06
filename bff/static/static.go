package static

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
)

// Errors that OnError gets, wrapped.
var (
	// ErrNotFound: there is neither such a file nor, for a page, an app. 404.
	ErrNotFound = errors.New("no such file")
	// ErrMethod: files are for GET and HEAD. 405; the Allow header is set already.
	ErrMethod = errors.New("files are for GET and HEAD")
	// ErrRead: the system refuses to read a file that is there. 500.
	ErrRead = errors.New("the app's files could not be read")
	// ErrDevServer: the development server does not answer. 502. The error's text is for the developer.
	ErrDevServer = errors.New("the app's development server does not answer")
	// ErrForeignOrigin: a page of another origin, or none, wants a WebSocket to the development server. 403.
	ErrForeignOrigin = errors.New("the development server's socket is for pages of this origin")
)

// Deps are what the package needs from the house.
type Deps struct {
	// Log gets what goes wrong after an answer has begun. nil: nothing is logged.
	Log *slog.Logger
	// Files is the app where it is part of the program. It takes the place of Config.Dir. Its files must be seekable, as those of embed are.
	Files fs.FS
	// Origin is the app's, such as http://localhost:8080, as browsers write it into the header of that name. Required with Config.DevServer.
	Origin string
	// OnError answers a request that failed, with one of the package's errors. Required.
	OnError func(w http.ResponseWriter, r *http.Request, err error)
}

// New makes the handler of the app. It refuses a folder without index.html. Without a folder and a development server it finds nothing.
func New(c Config, d Deps) (http.Handler, error) {
	var problems []error
	c.Validate(func(key, problem string) { problems = append(problems, fmt.Errorf("%s %s", key, problem)) })
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	var h http.Handler
	var err error
	switch {
	case c.DevServer != "":
		h, err = newDevServer(c, d)
	case d.Files != nil:
		h, err = newFolder(c, d, program(d.Files))
	case c.Dir != "":
		h, err = newFolder(c, d, directory(c.Dir))
	default:
		h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.OnError(w, r, ErrNotFound) })
	}
	if err != nil {
		return nil, err
	}
	return readOnly(h, d), nil
}

// readOnly lets GET and HEAD through.
func readOnly(h http.Handler, d Deps) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			d.OnError(w, r, ErrMethod)
			return
		}
		h.ServeHTTP(w, r)
	})
}
