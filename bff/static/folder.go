package static

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
)

const index = "index.html"

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

// program opens files that are always open.
func program(files fs.FS) opener {
	return func() (fs.FS, func() error, error) { return files, func() error { return nil }, nil }
}

// folder serves a built app.
type folder struct {
	open    opener
	csp     string
	tags    *tags
	onError func(http.ResponseWriter, *http.Request, error)
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
	f := &folder{open: open, csp: c.CSP, tags: newTags(), onError: d.OnError}
	if f.csp == "" {
		f.csp = policy
	}
	return f, nil
}

// ServeHTTP answers with a file, with the app's page, or with an error.
func (f *folder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	files, done, err := f.open()
	if err != nil {
		f.onError(w, r, fmt.Errorf("%w: %w", ErrRead, err))
		return
	}
	defer done()
	name, ok := fileName(r.URL.Path)
	if !ok {
		f.onError(w, r, ErrNotFound)
		return
	}
	err = f.serve(w, r, files, name)
	if errors.Is(err, ErrNotFound) && wantsPage(r.Header, name) {
		// The same path is no page for a script: a cache must know what made it one.
		w.Header().Add("Vary", "Accept, Sec-Fetch-Mode")
		err = f.serve(w, r, files, index)
	}
	if err != nil {
		f.onError(w, r, err)
	}
}

// fileName turns a canonical path into a file's name inside the folder; a folder's is its page. What no file of an app is called
// is refused before the file system sees it; os.Root refuses what leads out.
func fileName(path string) (name string, ok bool) {
	name, ok = strings.CutPrefix(path, "/")
	if name == "" || strings.HasSuffix(name, "/") {
		name += index
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

// wantsPage reports whether a request for a file that is missing may be for a page of the app's own router: a navigation, and
// not to something that is called like an asset. name is the file's.
func wantsPage(h http.Header, name string) bool {
	if !strings.HasSuffix("/"+name, "/"+index) && typeOf(name) != "" {
		return false
	}
	if mode := h.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	for _, line := range h["Accept"] {
		for part := range strings.SplitSeq(line, ",") {
			media, _, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(media), "text/html") {
				return true
			}
		}
	}
	return false
}
