package static

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// content is an open file.
type content struct {
	io.ReadSeeker
	io.Closer
	info fs.FileInfo
}

// serve answers with one file, or returns an error before anything is written.
func (f *folder) serve(w http.ResponseWriter, r *http.Request, files fs.FS, name string) error {
	file, err := open(files, name)
	if err != nil {
		return err
	}
	defer file.Close()
	coding, packed := precompressed(files, name, file.info, r.Header["Accept-Encoding"])
	if packed != nil {
		defer packed.Close()
		file = packed
	}
	tag, err := f.tags.of(name+"\x00"+coding, file)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRead, err)
	}
	h := w.Header()
	Protect(h, f.csp)
	h.Set("Content-Type", contentType(name))
	h.Set("Cache-Control", "no-cache")
	if hashed(name) {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("Etag", tag)
	h.Add("Vary", "Accept-Encoding")
	if coding != "" {
		h.Set("Content-Encoding", coding)
		if r.Header.Get("If-Match") == "" { // its 412 has no body
			h.Set("Content-Length", strconv.FormatInt(file.info.Size(), 10)) // ServeContent leaves it out here
		}
	}
	limitTime(w, file.info.Size())
	http.ServeContent(w, r, "", time.Time{}, file)
	return nil
}

// slowest is how slow a client may read, in bytes a second.
const slowest = 32 << 10

// patience is how long a client may take for an answer.
func patience(size int64) time.Duration {
	return time.Minute + time.Duration(size/slowest)*time.Second
}

// limitTime keeps slow clients from holding connections and files. The server lifts the limit when the answer is written.
func limitTime(w http.ResponseWriter, size int64) {
	// A connection that cannot have deadlines is a test's recorder.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(patience(size)))
}

// open opens a file for reading; a folder, a device, or a link that leads out is not found.
func open(files fs.FS, name string) (*content, error) {
	info, err := fs.Stat(files, name) // first: to open a named pipe would wait for a writer
	if err != nil {
		return nil, openError(err)
	}
	if !info.Mode().IsRegular() {
		return nil, ErrNotFound
	}
	file, err := files.Open(name)
	if err != nil {
		return nil, openError(err)
	}
	if info, err = file.Stat(); err != nil { // of the very file that is open: another may have the name by now
		file.Close()
		return nil, fmt.Errorf("%w: %w", ErrRead, err)
	}
	seeker, ok := file.(io.ReadSeeker)
	if !ok {
		file.Close()
		return nil, fmt.Errorf("%w: %q cannot be read from the middle", ErrRead, name)
	}
	return &content{seeker, file, info}, nil
}

// openError tells a file that is not there from one that the system does not give us. What is no error of the system's is a
// file system's or os.Root's refusal of the name.
func openError(err error) error {
	code, system := errors.AsType[syscall.Errno](err)
	absent := []syscall.Errno{syscall.ENOENT, syscall.ENOTDIR, syscall.ENAMETOOLONG, syscall.ELOOP, syscall.EINVAL}
	if !system || errors.Is(err, fs.ErrNotExist) || slices.Contains(absent, code) {
		return ErrNotFound
	}
	return fmt.Errorf("%w: %w", ErrRead, err)
}
