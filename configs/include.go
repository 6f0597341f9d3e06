package configs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxIncluded bounds how many files are included, maxTotal how large they are together, in bytes.
const (
	maxIncluded = 1000
	maxTotal    = 16 << 20
)

// inclusion is a file that the main file includes.
type inclusion struct {
	path, name string // as it is opened, and as error messages call it
	key        string // include[2], which found it
	info       os.FileInfo
}

// inclusions are the files that the patterns of include name, in the order of the list, those of one pattern sorted. The second
// result are the folders that a pattern looks into: a new file there changes the configuration.
func (l *loader) inclusions(patterns []string) (found []inclusion, folders []string) {
	for i, pattern := range patterns {
		key := fmt.Sprintf("include[%d]", i)
		if l.main.reported(key) {
			continue
		}
		paths, folder, problem := l.matches(l.main.resolve(pattern))
		if problem != "" {
			l.main.judge(key, problem)
			continue
		}
		if folder != "" {
			folders = append(folders, folder)
		}
		for _, path := range paths {
			n := inclusion{path: path, name: l.nameOf(path), key: key}
			if problem := l.unusable(&n, found); problem != "" {
				l.main.mistake(key, l.main.nearestPlace(key), problem)
				l.main.used = append(l.main.used, path) // where the mistake may be mended
				continue
			}
			found = append(found, n)
		}
	}
	if len(found) > maxIncluded {
		l.main.judge("include", fmt.Sprintf("names %d files; %d are the most", len(found), maxIncluded))
		return nil, folders
	}
	return found, folders
}

// matches are the files of one pattern. A pattern without a wildcard names a file that must be there. One with a wildcard may match
// nothing while its folder is there: a team that has no routes yet is no mistake, a folder that was not mounted is.
func (l *loader) matches(pattern string) (paths []string, folder, problem string) {
	folder, wild := wildcardFolder(pattern)
	switch {
	case strings.Contains(pattern, "**"):
		return nil, "", "has **, which is not supported: * stands for a name, or a part of one, in one folder"
	case !wild:
		return []string{pattern}, "", ""
	}
	if info, err := l.stat(folder); err != nil || !info.IsDir() {
		l.main.used = append(l.main.used, folder)
		return nil, "", fmt.Sprintf("the folder %s is not there; the path starts at the folder of this file", l.nameOf(folder))
	}
	paths, err := matching(pattern, l.list)
	switch {
	case errors.Is(err, filepath.ErrBadPattern):
		return nil, "", "is no pattern: a [ is never closed; a name with brackets is written with a \\ before each"
	case err != nil:
		return nil, "", fmt.Sprintf("%s cannot be searched: %s", l.nameOf(pattern), reason(err))
	}
	return paths, folder, ""
}

// wildcardFolder is the last folder of a pattern before its first wildcard.
func wildcardFolder(pattern string) (folder string, wild bool) {
	before := strings.IndexAny(pattern, `*?[`)
	if before < 0 {
		return "", false
	}
	return filepath.Dir(pattern[:before] + "x"), true
}

// nameOf is what error messages call a file: its way from the folder of the main file, where it lies below that.
func (l *loader) nameOf(path string) string {
	if rel, err := filepath.Rel(l.main.dir, path); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return path
}

// unusable says why a file cannot be included. The same file twice, by whatever name, would have every route conflict with itself.
func (l *loader) unusable(n *inclusion, before []inclusion) string {
	var err error
	if n.info, err = l.stat(n.path); err != nil {
		return fmt.Sprintf("%s: %s; the path starts at the folder of this file", n.name, reason(err))
	}
	if !n.info.Mode().IsRegular() {
		return n.name + " is not a regular file; write " + filepath.Join(n.name, "*.yaml") + " for what is in a folder"
	}
	if main, err := l.stat(l.path); err == nil && os.SameFile(main, n.info) {
		return n.name + " is this file itself; leave it out"
	}
	for _, other := range before {
		switch {
		case !os.SameFile(other.info, n.info):
		case other.path == n.path:
			return fmt.Sprintf("%s is included twice, first by %s; name it once", n.name, other.key)
		default:
			return fmt.Sprintf("%s is the same file as %s, which is included by %s; name it once", n.name, other.name, other.key)
		}
	}
	return ""
}
