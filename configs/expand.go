package configs

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
)

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// errExpansion is any other ${…}. It does not repeat what stands there, which may be a piece of a secret.
var errExpansion = errors.New("has a ${ that is neither ${env:NAME} nor ${file:PATH}; a literal ${ is written $${")

// expansion is one ${…} and what it brought.
type expansion struct{ written, brought string }

// expand replaces ${env:NAME} and ${file:PATH} in s. What they bring is taken as it is: a $ in it means nothing.
func (d *decoder) expand(s string) (string, []expansion, error) {
	var out strings.Builder
	var done []expansion
	for {
		before, after, found := strings.Cut(s, "${")
		if !found {
			out.WriteString(s)
			return out.String(), done, nil
		}
		if literal, escaped := strings.CutSuffix(before, "$"); escaped {
			out.WriteString(literal + "${")
			s = after
			continue
		}
		inner, rest, closed := strings.Cut(after, "}")
		if !closed {
			return "", nil, errExpansion
		}
		value, err := d.fetch(inner)
		if err != nil {
			return "", nil, err
		}
		out.WriteString(before + value)
		done = append(done, expansion{written: "${" + inner + "}", brought: value})
		s = rest
	}
}

// fetch is what ${inner} stands for.
func (d *decoder) fetch(inner string) (string, error) {
	kind, arg, _ := strings.Cut(inner, ":")
	switch {
	case kind == "env" && envName.MatchString(arg):
		value, ok := d.env(arg)
		if !ok {
			return "", fmt.Errorf("${env:%s}: the environment has no variable of this name", arg)
		}
		return value, nil
	case kind == "file" && arg != "":
		return d.fileText(arg)
	default:
		return "", errExpansion
	}
}

// fileText is the text of a file, without what editors and echo put there unasked: one line break at its end, and a byte order mark.
func (d *decoder) fileText(path string) (string, error) {
	d.used = append(d.used, d.resolve(path))
	data, err := d.read(d.resolve(path))
	if err != nil {
		return "", fmt.Errorf("${file:%s}: %s", path, reason(err))
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	if short, ok := strings.CutSuffix(text, "\n"); ok {
		text = strings.TrimSuffix(short, "\r")
	}
	return text, nil
}

// resolve makes a path relative to the folder of the file that names it.
func (d *decoder) resolve(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(d.dir, path)
}

// reason is why a file could not be read, without repeating its name.
func reason(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}
