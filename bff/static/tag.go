package static

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// maxTags bounds how many files' tags are remembered. An app has fewer files.
const maxTags = 8192

// settled is the age from which a file's time tells its versions apart: two changes within one tick of the file
// system's clock have the same time.
const settled = 2 * time.Second

// tags remembers the ETags of files, each made of the content once per version, however many ask at the same time.
type tags struct {
	now   func() time.Time
	mu    sync.Mutex
	known map[string]version
}

// version is a file as it was, and its tag.
type version struct {
	info fs.FileInfo
	tag  func() (string, error)
}

func newTags() *tags { return &tags{now: time.Now, known: map[string]version{}} }

// of answers file's tag, and leaves file at its start.
func (t *tags) of(key string, file *content) (string, error) {
	v, remembered := t.version(key, file)
	tag, err := v.tag()
	if err != nil {
		if remembered {
			t.forget(key)
		}
		return "", err
	}
	_, err = file.Seek(0, io.SeekStart)
	return tag, err
}

// version returns the remembered version of a file, or makes one that reads file.
func (t *tags) version(key string, file *content) (v version, remembered bool) {
	v = version{file.info, sync.OnceValues(func() (string, error) { return sum(file) })}
	if age := t.now().Sub(file.info.ModTime()); age >= 0 && age < settled { // a time in the future will not change by itself
		return v, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if known, ok := t.known[key]; ok && same(known.info, file.info) {
		return known, true
	}
	if len(t.known) >= maxTags {
		clear(t.known)
	}
	t.known[key] = v
	return v, true
}

func (t *tags) forget(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.known, key)
}

// same reports whether two looks at a name saw the same version of the same file. Size and time are not enough: reproducible builds give
// all files one time, and their pages differ in a hash of fixed length. Files of the program (without Sys) have no identity and do not change.
func same(a, b fs.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && (b.Sys() == nil || os.SameFile(a, b))
}

// sum makes the tag of a content.
func sum(r io.Reader) (string, error) {
	hash := sha256.New()
	if _, err := io.Copy(hash, r); err != nil {
		return "", err
	}
	return `"` + base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:16]) + `"`, nil
}
