package configs

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// Watched is what a configuration was made of, as far as it may change while a program runs: files by their contents, and patterns by the files that they match.
type Watched struct{ files, patterns []string }

// Watched is what c was made of. Files that are read again by their owners, such as certificates, are not among it.
func (c *Config) Watched() Watched {
	files := c.Files()
	return Watched{files: files, patterns: patterns(files[0], c.Include)}
}

// patterns are those of include, as they start at the folder of the main file.
func patterns(path string, include []string) (all []string) {
	for _, pattern := range include {
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(filepath.Dir(path), pattern)
		}
		all = append(all, pattern)
	}
	return all
}

// WatchedFile is what a configuration is made of at least, of which nothing but the main file is known.
func WatchedFile(path string) Watched { return Watched{files: []string{path}} }

// With is w, and the files of a configuration that was read since and is wrong: they are what may be mended.
func (w Watched) With(e *Errors) Watched {
	return Watched{files: together(w.files, e.Files), patterns: together(w.patterns, e.Patterns)}
}

func together(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// Digest is the same as long as nothing has changed. Contents count, and neither times nor the files behind links. A file that cannot be read has a digest,
// too. It may be of secrets: show it to nobody.
func (w Watched) Digest() (sum [sha256.Size]byte) {
	all := sha256.New()
	for _, path := range w.files {
		fmt.Fprintf(all, "%q %q\n", path, contentOf(path))
	}
	for _, pattern := range w.patterns {
		paths, err := matching(pattern, os.ReadDir)
		fmt.Fprintf(all, "%q %q %v\n", pattern, paths, err)
	}
	return [sha256.Size]byte(all.Sum(nil))
}

// contentOf is a hash of as much of a file as any configuration takes of one, or why there is none. It never reads from a pipe, which would keep it waiting.
func contentOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return reason(err)
	}
	if !info.Mode().IsRegular() {
		return "no regular file"
	}
	f, err := os.Open(path)
	if err != nil {
		return reason(err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err = io.Copy(sum, io.LimitReader(f, maxWatched)); err != nil {
		return reason(err)
	}
	return string(sum.Sum(nil))
}

// maxWatched bounds how much of a file is looked at, in bytes: more than a description of an API may have.
const maxWatched = 64 << 20
