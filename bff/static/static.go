package static

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"strings"
)

// Errors that OnError gets.
var (
	// ErrNotFound: there is neither such a file nor, for a page, an app. 404.
	ErrNotFound = errors.New("no such file")
	// ErrMethod: files are for GET and HEAD. 405; the Allow header is set already.
	ErrMethod = errors.New("files are for GET and HEAD")
	// ErrRead: the folder could not be read. 500.
	ErrRead = errors.New("the app's files could not be read")
	// ErrDevServer: the development server does not answer. 502. The error's text is for the developer and safe to show.
	ErrDevServer = errors.New("the app's development server does not answer")
)

// Deps are what the package needs from the house.
type Deps struct {
	// Log gets what goes wrong after an answer has begun. nil: nothing is logged.
	Log *slog.Logger
	// Files is the app where it is part of the program. It takes the place of Config.Dir.
	Files fs.FS
	// OnError answers a request that failed, with one of the package's errors. Required.
	OnError func(w http.ResponseWriter, r *http.Request, err error)
}

// New makes the handler of the app. Without a folder and a development server it finds nothing.
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
		h, err = newFolder(c, d, func() (fs.FS, func() error, error) { return d.Files, func() error { return nil }, nil })
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

// policy is the strict default: this origin alone, no plug-ins, no frames around. Small images and fonts may be data: URLs, because
// builds inline them.
const policy = "default-src 'self'; img-src 'self' data:; font-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

// opener gives the app's files for one request, and how to let go of them.
type opener func() (fs.FS, func() error, error)

// directory opens dir anew for each request, because a build may put another in its place. os.Root keeps symbolic links inside.
func directory(dir string) opener {
	return func() (fs.FS, func() error, error) {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, nil, err
		}
		return root.FS(), root.Close, nil
	}
}

// folder serves a built app.
type folder struct {
	open opener
	csp  string
	tags *tags
	deps Deps
}

// newFolder checks that there is an app.
func newFolder(c Config, d Deps, open opener) (*folder, error) {
	const advice = "build the app, or set spa.dir to the folder that the build writes"
	files, done, err := open()
	if err != nil {
		return nil, fmt.Errorf("open the app's folder: %w\n%s", err, advice)
	}
	defer done()
	if info, err := fs.Stat(files, index); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("the app's folder %q has no %s\n%s", c.Dir, index, advice)
	}
	f := &folder{open: open, csp: c.CSP, tags: newTags(), deps: d}
	if f.csp == "" {
		f.csp = policy
	}
	return f, nil
}

const index = "index.html"

// ServeHTTP answers with a file, with the app's page, or with an error.
func (f *folder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	files, done, err := f.open()
	if err != nil {
		f.deps.OnError(w, r, fmt.Errorf("%w: %w", ErrRead, err))
		return
	}
	defer done()
	name, ok := fileName(r.URL.Path)
	if ok {
		err = f.serve(w, r, files, name)
	}
	if !ok || errors.Is(err, ErrNotFound) {
		if err = ErrNotFound; wantsPage(r, name) {
			err = f.serve(w, r, files, index)
		}
	}
	if err != nil {
		f.deps.OnError(w, r, err)
	}
}

// fileName turns a canonical path into a file's name inside the folder. The folder itself is the page.
// What no file of an app is called is refused before the file system sees it; os.Root refuses what leads out.
func fileName(path string) (string, bool) {
	name, ok := strings.CutPrefix(path, "/")
	if name == "" {
		return index, ok
	}
	if !ok || strings.ContainsAny(name, "\\\x00:") {
		return "", false
	}
	for i, segment := range strings.Split(name, "/") {
		if segment == "" || segment[0] == '.' && (i > 0 || segment != ".well-known") {
			return "", false
		}
	}
	return name, true
}

// wantsPage reports whether a path without a file may be one of the app's own: a navigation, and not to something that
// is called like an asset, where a page would only hide that the asset is missing. name is empty for a path that can be no file's.
func wantsPage(r *http.Request, name string) bool {
	path := r.URL.Path
	last := path[strings.LastIndexByte(path, '/')+1:]
	if name == "" && strings.Contains(path, "/.") || contentType(last) != unknownType {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}
