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

// errTemplate is any other ${…} where ${user.…} may stand.
var errTemplate = errors.New("has a ${ that is none of ${user.…}, ${env:NAME} and ${file:PATH}; a literal ${ is written $${")

// errDangling is for a value that would make something of what stands behind it.
var errDangling = errors.New("has a ${…} that brings a $ at its end, with more behind it; write the whole value there, or none of it")

// expand replaces ${env:NAME} and ${file:PATH} in s. What they bring is taken as it is: a $ in it means nothing.
//
// In a template ${user.…} stays for whoever reads that, and so does $${, which is what a ${ that was brought turns into.
func (d *decoder) expand(s string, template bool) (string, []expansion, error) {
	var out strings.Builder
	var done []expansion
	for {
		before, after, found := strings.Cut(s, "${")
		if !found {
			out.WriteString(s)
			return out.String(), done, nil
		}
		if literal, escaped := strings.CutSuffix(before, "$"); escaped {
			out.WriteString(literalBrace(literal, template))
			s = after
			continue
		}
		inner, rest, closed := strings.Cut(after, "}")
		if !closed {
			return "", nil, errExpansion
		}
		if template && strings.HasPrefix(inner, "user.") {
			out.WriteString(before + "${" + inner + "}")
			s = rest
			continue
		}
		value, err := d.fetch(inner)
		switch {
		case template && errors.Is(err, errExpansion):
			return "", nil, errTemplate
		case err != nil:
			return "", nil, err
		case template && strings.HasSuffix(value, "$") && rest != "":
			return "", nil, errDangling
		case template:
			out.WriteString(before + strings.ReplaceAll(value, "${", "$${"))
		default:
			out.WriteString(before + value)
		}
		done = append(done, expansion{written: "${" + inner + "}", brought: value})
		s = rest
	}
}

// literalBrace is a literal ${ behind the text before it.
func literalBrace(before string, template bool) string {
	if template {
		return before + "$${"
	}
	return before + "${"
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
