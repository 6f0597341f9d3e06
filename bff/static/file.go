package static

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

// content is an open file.
type content struct {
	io.ReadSeeker
	io.Closer
	info fs.FileInfo
}

// serve answers with one file, or with ErrNotFound before anything is written.
func (f *folder) serve(w http.ResponseWriter, r *http.Request, files fs.FS, name string) error {
	file, err := open(files, name)
	if err != nil {
		return err
	}
	defer file.Close()
	encoding, packed := precompressed(files, name, r.Header["Accept-Encoding"])
	if packed != nil {
		defer packed.Close()
		file = packed
	}
	tag, err := f.tags.of(name+"\x00"+encoding, file, file.info)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRead, err)
	}
	h := w.Header()
	h.Set("Content-Type", contentType(name))
	h.Set("Content-Security-Policy", f.csp)
	h.Set("Cache-Control", "no-cache")
	if hashed(name) {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("Etag", tag)
	h.Add("Vary", "Accept-Encoding")
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	http.ServeContent(w, r, "", time.Time{}, file) // no modification time: replicas may differ in it
	return nil
}

// open opens a file for reading; a folder, a device, or a link that leads out is not found.
func open(files fs.FS, name string) (*content, error) {
	info, err := fs.Stat(files, name) // first: to open a named pipe would wait for a writer
	if err != nil || !info.Mode().IsRegular() {
		return nil, ErrNotFound
	}
	file, err := files.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRead, err)
	}
	seeker, ok := file.(io.ReadSeeker)
	if info, err = file.Stat(); err != nil || !ok {
		file.Close()
		return nil, fmt.Errorf("%w: %s is no file to read from the middle", ErrRead, name)
	}
	return &content{seeker, file, info}, nil
}

// precompressed opens the smallest sibling that the browser takes, if there is one.
func precompressed(files fs.FS, name string, accept []string) (encoding string, file *content) {
	for _, e := range []struct{ name, suffix string }{{"br", ".br"}, {"gzip", ".gz"}} {
		if !accepts(accept, e.name) {
			continue
		}
		if file, err := open(files, name+e.suffix); err == nil {
			return e.name, file
		}
	}
	return "", nil
}

// accepts reports whether Accept-Encoding takes a coding (RFC 9110, section 12.5.3). Its own entry counts before *.
func accepts(lines []string, coding string) bool {
	any := false
	for _, line := range lines {
		for entry := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(entry, ";")
			wanted := !zeroWeight(params)
			switch name = strings.TrimSpace(name); {
			case strings.EqualFold(name, coding):
				return wanted
			case name == "*":
				any = wanted
			}
		}
	}
	return any
}

// zeroWeight finds q=0, which means: not this one.
func zeroWeight(params string) bool {
	key, value, _ := strings.Cut(strings.TrimSpace(params), "=")
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	return strings.EqualFold(strings.TrimSpace(key), "q") && (err != nil || q <= 0)
}

// maxTags bounds how many files' tags are remembered. An app has fewer files.
const maxTags = 8192

// tags remembers the ETags of files, each made of the content once per version.
type tags struct {
	mu    sync.Mutex
	known map[string]tag
}

type tag struct {
	size    int64
	changed time.Time
	value   string
}

func newTags() *tags { return &tags{known: map[string]tag{}} }

// of answers file's tag, and leaves file at its start.
func (t *tags) of(key string, file io.ReadSeeker, info fs.FileInfo) (string, error) {
	t.mu.Lock()
	known, ok := t.known[key]
	t.mu.Unlock()
	if ok && known.size == info.Size() && known.changed.Equal(info.ModTime()) {
		return known.value, nil
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	value := `"` + base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:16]) + `"`
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.known) >= maxTags {
		clear(t.known)
	}
	t.known[key] = tag{size: info.Size(), changed: info.ModTime(), value: value}
	return value, nil
}

// hashed reports whether a file is named after its content as Vite does it: assets/name-HASH.ext, with 8 characters of base64url.
// A file that was copied into assets unchanged may look alike (hero-portrait.jpg, logo-1280x720.png). What reads as a word or a
// number is no hash: to take one for a hash would freeze a file for a year, to miss one costs a 304.
func hashed(name string) bool {
	if !strings.HasPrefix(name, "assets/") {
		return false
	}
	stem := path.Base(strings.TrimSuffix(name, ".map"))
	stem = stem[:len(stem)-len(path.Ext(stem))]
	cut := len(stem) - 9
	if cut < 1 || stem[cut] != '-' {
		return false
	}
	return looksRandom(stem[cut+1:])
}

// looksRandom reports whether s is base64url and neither a word nor a number. A word is letters with at most its first a capital, or
// all capitals; a number is digits and what stands between digits in dates and sizes.
func looksRandom(s string) bool {
	lower, upper, digit := 0, 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z':
			lower++
		case c >= 'A' && c <= 'Z':
			upper++
		case c >= '0' && c <= '9':
			digit++
		case c != '-' && c != '_':
			return false
		}
	}
	word := digit == 0 && (upper == 0 || lower == 0 || upper == 1 && s[0] >= 'A' && s[0] <= 'Z')
	number := strings.Trim(s, "0123456789xX_-") == ""
	numbered := upper == 0 && strings.TrimLeft(strings.TrimRight(s, "0123456789_-"), "abcdefghijklmnopqrstuvwxyz_-") == "" // chapter1, photo-12
	return !word && !number && !numbered
}
