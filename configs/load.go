package configs

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
)

// maxFile bounds the configuration and every file that it names by ${file:…}, in bytes.
const maxFile = 1 << 20

// Load reads the configuration file at path, with the process' environment.
// A mistake in it is reported as an [*Errors], anything else as the reason why it could not be read.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w\nname the file with --config; `cloakroom schema` describes it", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, data, os.LookupEnv)
}

// Parse reads a configuration that is already in memory. The name stands in error messages, and
// relative paths start at its folder. A nil env is an empty environment. An error is always an [*Errors].
func Parse(name string, data []byte, env func(string) (string, bool)) (*Config, error) {
	if env == nil {
		env = func(string) (string, bool) { return "", false }
	}
	return parse(name, data, system{env: env, read: readFile, stat: os.Stat, list: os.ReadDir})
}

// system is what a configuration may ask of the machine; tests hand over their own.
type system struct {
	env  func(string) (string, bool)
	read func(path string) ([]byte, error)
	stat func(path string) (os.FileInfo, error)
	list func(path string) ([]os.DirEntry, error)
}

// newDecoder is for the file at path, which error messages call name.
func newDecoder(path, name string, sys system) *decoder {
	return &decoder{system: sys, dir: filepath.Dir(path), source: source{file: name}, places: map[string]place{}, used: []string{path}}
}

// document reads the whole file into root. It answers whether there is anything in it that can be judged.
func (d *decoder) document(root reflect.Value, data []byte) bool {
	text, ok := d.text(data)
	if !ok {
		return false
	}
	body, ok := d.yaml(text)
	if !ok {
		return false
	}
	d.root = root
	d.places[""] = place{line: 1, column: 1}
	d.value(root, body, "", field{})
	_, mapping := body.(ast.MapNode)
	return mapping || isNull(body)
}

// text checks that data is text of a bearable size, and keeps its lines for the error messages.
func (d *decoder) text(data []byte) (string, bool) {
	if len(data) > maxFile {
		d.report("", place{line: 1, column: 1}, fmt.Sprintf("is larger than %d bytes", maxFile))
		return "", false
	}
	text := string(bytes.TrimPrefix(data, []byte("\ufeff")))
	text = strings.ReplaceAll(text, "\r\n", "\n")
	d.source.lines = strings.Split(text, "\n")
	for i, line := range d.source.lines {
		if column, what := strange(line); what != "" {
			d.source.broken = true
			d.source.lines[i] = strings.Map(printable, line)
			d.report("", place{line: i + 1, column: column}, what+"; write it as an escape in double quotes, if it is meant")
			return "", false
		}
	}
	return text, true
}

// strange finds the first character that is no text: a control character, or a byte that is no UTF-8.
// They hide what a line says, from editors as from error messages.
func strange(line string) (column int, what string) {
	column = 1
	for i, r := range line {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(line[i:]); n == 1 {
				return column, "has a byte that is not UTF-8"
			}
		}
		if printable(r) != r {
			return column, fmt.Sprintf("has the control character %U", r)
		}
		column++
	}
	return 0, ""
}

// printable answers r, or a question mark where r would disturb a terminal or the reader of a line.
func printable(r rune) rune {
	hides := r == '\u2028' || r == '\u2029' || r == '\ufeff' || unicode.Is(unicode.Bidi_Control, r)
	if r != '\t' && (unicode.IsControl(r) || hides) {
		return '?'
	}
	return r
}

// readFile reads what ${file:…} names: a regular file, so that no pipe or device keeps the start waiting.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return os.ReadFile(path)
}
