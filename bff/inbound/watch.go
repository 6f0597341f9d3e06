package inbound

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"time"
)

// filesEvery is how often files are read. They are small, and their content alone tells of every way to replace them: written anew, renamed, or a link that is
// swapped above them, as Kubernetes does.
const filesEvery = time.Second

// maxFile bounds a file, in bytes.
const maxFile = 8 << 20

// watched is what a file holds, and is read again when it changes.
type watched[T any] struct {
	key     string // of the configuration, for the log
	path    string
	parse   func([]byte) (T, error)
	current atomic.Pointer[T]

	// Of look alone: what the file held when it was good, the last time, and when it was last refused.
	good, seen, refused [sha256.Size]byte
}

func newWatched[T any](key, path string, parse func([]byte) (T, error)) (*watched[T], error) {
	w := &watched[T]{key: key, path: path, parse: parse}
	v, sum, err := w.read()
	if err != nil {
		return nil, err
	}
	w.current.Store(&v)
	w.good, w.seen = sum, sum
	return w, nil
}

func (w *watched[T]) get() T { return *w.current.Load() }

// look takes what the file holds now, if it is good, and the same as the last time: half a file is not the whole. Something broken is told once, and
// replaces nothing.
func (w *watched[T]) look(d Deps) {
	v, sum, err := w.read()
	before := w.seen
	w.seen = sum
	switch {
	case sum != before:
	case err == nil && sum == w.good:
		w.refused = [sha256.Size]byte{}
	case err == nil:
		w.current.Store(&v)
		w.good, w.refused = sum, [sha256.Size]byte{}
		d.Log.Info("a file of callers has changed", "event", "callers_changed", "key", w.key)
		d.Count(EventFileChanged)
	case sum != w.refused:
		w.refused = sum
		d.Log.Error("a file of callers is refused; what was read before stays", "event", "callers_refused", "key", w.key, "error", err)
		d.Count(EventFileRefused)
	}
}

// read reads the file. The sum is of what it holds, or of why it cannot be read.
func (w *watched[T]) read() (v T, sum [sha256.Size]byte, err error) {
	data, err := readFile(w.path)
	if err != nil {
		return v, sha256.Sum256([]byte(err.Error())), err
	}
	v, err = w.parse(data)
	return v, sha256.Sum256(data), err
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("is no regular file")
	}
	if err != nil {
		return nil, plainCause(err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, plainCause(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, plainCause(err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("is larger than %d bytes", maxFile)
	}
	return data, nil
}

// plainCause leaves out the path, which the log has by its key.
func plainCause(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}

// watch looks at the files until ctx ends.
func (in *Inbound) watch(ctx context.Context) {
	tick := time.NewTicker(filesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			in.look()
		}
	}
}

// look looks at each file once.
func (in *Inbound) look() {
	if in.users != nil {
		in.users.file.look(in.deps)
	}
	if in.certs != nil {
		in.certs.look(in.deps)
	}
}
