package configs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxMistakes bounds the list: a file of another kind altogether has one mistake a line.
const maxMistakes = 100

// Errors is every mistake of one configuration: of the main file first, then of those that it includes, each in the order of the file.
type Errors struct {
	// Mistakes are the mistakes, at most 100.
	Mistakes []Mistake
	// Files are all files that were read, or should have been, as [Config.Files] has them.
	Files []string
	// Patterns are those of include, as far as they could be read: a file that comes or goes there may mend it.
	Patterns []string
}

// Mistake is one thing that is wrong in a configuration file.
type Mistake struct {
	// File is the file's name, for an included file with the way to it from the main file. Line and Column are where, from 1. The column counts characters.
	File         string
	Line, Column int
	// Key is the whole key within the file, such as session.cookie.name or routes[2].path; empty for the file itself.
	Key string
	// Problem says what is wrong and what would be right. It holds no secret.
	Problem string
	// Source is the line of the file, its secrets masked.
	Source string
}

// Error is the whole report, with a source line and a caret for every mistake.
func (e *Errors) Error() string {
	var b strings.Builder
	for i, m := range e.Mistakes {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(m.String())
	}
	return b.String()
}

// String is the mistake as `file:line:column: key: problem`, the source line, and a caret below it.
func (m Mistake) String() string {
	where := fmt.Sprintf("%s:%d:%d: ", m.File, m.Line, m.Column)
	if m.Key != "" {
		where += m.Key + ": "
	}
	number := fmt.Sprintf("%3d", m.Line)
	report := where + m.Problem + "\n" + strings.TrimRight(number+" | "+m.Source, " \t")
	if m.Column > maxShown {
		return report
	}
	return report + "\n" + strings.Repeat(" ", len(number)) + " | " + indent(m.Source, m.Column) + "^"
}

// indent is white space as wide as the first characters of line, up to column. Tabs stay tabs.
func indent(line string, column int) string {
	var b strings.Builder
	for i, r := range []rune(line) {
		if i+1 >= column {
			break
		}
		if r != '\t' {
			r = ' '
		}
		b.WriteRune(r)
	}
	return b.String()
}

// report notes a mistake of key at a place, once: what follows from a mistake is none of its own. What a route has by
// the file's defaults is a mistake there.
func (d *decoder) report(key string, at place, problem string) {
	if at.key != "" {
		key = at.key
	}
	if !d.reported(key) {
		d.mistake(key, at, problem)
	}
}

// mistake notes a mistake whatever else is wrong with its key.
func (d *decoder) mistake(key string, at place, problem string) {
	if !d.full() {
		d.mistakes = append(d.mistakes, Mistake{Line: at.line, Column: at.column, Key: key, Problem: problem})
	}
}

// full reports whether the list of mistakes is as long as it may be.
func (d *decoder) full() bool { return len(d.mistakes) >= maxMistakes }

func (d *decoder) reported(key string) bool {
	return key != "" && slices.ContainsFunc(d.mistakes, func(m Mistake) bool { return m.Key == key })
}

// sorted is the list in the order of the file. Source lines are added here, when everything that must be masked is known.
func (d *decoder) sorted() []Mistake {
	for i := range d.mistakes {
		m := &d.mistakes[i]
		m.File = d.source.file
		m.Key = strings.Map(printable, m.Key) // a quoted key may hold anything
		m.Source = d.source.show(m.Line)
	}
	slices.SortStableFunc(d.mistakes, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return d.mistakes
}
