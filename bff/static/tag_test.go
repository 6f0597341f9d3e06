package static

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// watched tells how many hashed a file: it counts the readers that reached its end.
type watched struct {
	io.ReadSeeker
	ends *atomic.Int32
	err  error
}

func (w *watched) Read(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.ReadSeeker.Read(p)
	if err == io.EOF {
		w.ends.Add(1)
	}
	return n, err
}

// tagger asks for the tag of a file as a request does, and counts the times that it was read for that.
type tagger struct {
	t    *testing.T
	dir  string
	tags *tags
	ends atomic.Int32
}

func (g *tagger) of(name string, fail error) (string, error) {
	file, err := open(os.DirFS(g.dir), name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	inner := file.ReadSeeker
	file.ReadSeeker = &watched{inner, &g.ends, fail}
	tag, err := g.tags.of(name, file)
	if at, _ := inner.Seek(0, io.SeekCurrent); err == nil && at != 0 {
		g.t.Errorf("the file was left at %d", at)
	}
	return tag, err
}

func (g *tagger) must(name string) string {
	g.t.Helper()
	tag, err := g.of(name, nil)
	if err != nil {
		g.t.Error(err)
	}
	return tag
}

// write writes a file with a time of long ago and some more.
func (g *tagger) write(name, text string, more time.Duration) {
	g.t.Helper()
	path, at := filepath.Join(g.dir, name), time.Unix(1_000_000_000, 0).Add(more)
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o644), os.Chtimes(path, at, at)); err != nil {
		g.t.Fatal(err)
	}
}

func newTagger(t *testing.T) *tagger { return &tagger{t: t, dir: t.TempDir(), tags: newTags()} }

func TestAVersionIsReadOnceForItsTag(t *testing.T) {
	g := newTagger(t)
	g.write("a", "one", 0)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() { g.must("a") })
	}
	group.Wait()
	if n := g.ends.Load(); n != 1 {
		t.Errorf("16 requests read the file %d times", n)
	}
	first := g.must("a")
	g.write("a", "two", time.Second)
	if second := g.must("a"); second == first || g.ends.Load() != 2 {
		t.Errorf("after a change: %s and %s, read %d times", first, second, g.ends.Load())
	}
}

// Reproducible builds give all files the same time, and pages that differ in a hash have the same size.
func TestAnotherFileOfTheSameSizeAndTimeHasItsOwnTag(t *testing.T) {
	g := newTagger(t)
	g.write("a", "one", 0)
	g.write("b", "two", 0)
	first := g.must("a")
	if err := os.Rename(filepath.Join(g.dir, "b"), filepath.Join(g.dir, "a")); err != nil {
		t.Fatal(err)
	}
	if second := g.must("a"); second == first {
		t.Errorf("both have %s", first)
	}
}

// Two changes within one tick of the file system's clock have the same time, so the tag of a new file is not relied on.
func TestANewFileIsReadAgain(t *testing.T) {
	g := newTagger(t)
	g.write("a", "one", 0)
	g.tags.now = func() time.Time { return time.Unix(1_000_000_000, 0).Add(settled - 1) }
	first := g.must("a")
	g.write("a", "two", 0)
	if second := g.must("a"); second == first {
		t.Errorf("both have %s", first)
	}
	g.tags.now = func() time.Time { return time.Unix(1_000_000_000, 0).Add(settled) }
	before := g.ends.Load()
	g.must("a")
	g.must("a")
	if n := g.ends.Load() - before; n != 1 {
		t.Errorf("a settled file was read %d times for two requests", n)
	}
}

func TestAFileFromTheFutureIsReadOnce(t *testing.T) {
	g := newTagger(t)
	g.write("a", "one", 0)
	g.tags.now = func() time.Time { return time.Unix(0, 0) }
	g.must("a")
	g.must("a")
	if n := g.ends.Load(); n != 1 {
		t.Errorf("read %d times", n)
	}
}

func TestAReadThatFailedIsNotRemembered(t *testing.T) {
	g := newTagger(t)
	g.write("a", "one", 0)
	if _, err := g.of("a", fs.ErrPermission); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
	if tag := g.must("a"); tag == "" {
		t.Error("no tag")
	}
}
