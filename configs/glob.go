package configs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A pattern of include is filepath.Glob's, but for two things. A folder that cannot be read is an error, and not one without files: a reload would otherwise take a
// team's routes away because of a permission. And a wildcard passes over names with a dot at their beginning, which are editors', or Kubernetes' ..data.

// wildcards are the characters that make a part of a path a pattern.
const wildcards = `*?[\`

// matching are the files that a pattern matches, sorted. list reads a folder, as os.ReadDir does.
func matching(pattern string, list func(string) ([]os.DirEntry, error)) (paths []string, err error) {
	if _, err := filepath.Match(pattern, ""); err != nil {
		return nil, err
	}
	if !strings.ContainsAny(pattern, wildcards) {
		return ifThere(pattern)
	}
	dir, base := filepath.Split(pattern)
	dir = filepath.Clean(dir)
	folders := []string{dir}
	if strings.ContainsAny(dir, wildcards) {
		if folders, err = matching(dir, list); err != nil {
			return nil, err
		}
	}
	for _, folder := range folders {
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			if unlessGone(err) != nil {
				return nil, err
			}
			continue
		}
		found, err := matchingIn(folder, base, list)
		if err != nil {
			return nil, err
		}
		paths = append(paths, found...)
	}
	return paths, nil
}

// matchingIn are the files of one folder.
func matchingIn(folder, base string, list func(string) ([]os.DirEntry, error)) (paths []string, err error) {
	if !strings.ContainsAny(base, wildcards) {
		return ifThere(filepath.Join(folder, base))
	}
	entries, err := list(folder)
	if err != nil {
		return nil, unlessGone(err)
	}
	for _, e := range entries { // sorted
		hidden := strings.HasPrefix(e.Name(), ".") && !strings.HasPrefix(base, ".")
		if ok, _ := filepath.Match(base, e.Name()); ok && !hidden {
			paths = append(paths, filepath.Join(folder, e.Name()))
		}
	}
	return paths, nil
}

func ifThere(path string) ([]string, error) {
	if _, err := os.Lstat(path); err != nil {
		return nil, unlessGone(err)
	}
	return []string{path}, nil
}

// unlessGone is err, or nil where it only says that something is not there.
func unlessGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
