package configs

import (
	"reflect"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// source is the file as error messages show it. Secrets are hidden twice: by their place, and,
// should a parser be wrong about a place, by their words.
type source struct {
	file   string
	lines  []string
	broken bool // not YAML: nothing tells which words are secret
	hidden []span
	words  []string
}

// span is a stretch of text that is not shown: from a place up to, not including, another.
type span struct{ from, to place }

const mask = "***"

// minWord is the shortest piece of a secret that is searched for on its own: shorter ones are also
// ordinary words, and would black out half the file.
const minWord = 8

// maxShown is how much of a line is shown, in characters.
const maxShown = 200

// userinfo is the name and password in a URL, which is not always where a secret is expected. It goes up to the last @, because a
// password with a / or @ that is not escaped makes it no URL, and is then what the message is about.
var userinfo = regexp.MustCompile(`//[^\s"']*@`)

// show is one line, fit to be printed.
func (s *source) show(number int) string {
	if number < 1 || number > len(s.lines) {
		return ""
	}
	return shorten(s.masked(number))
}

// shorten bounds what a message repeats of the file.
func shorten(text string) string {
	if r := []rune(text); len(r) > maxShown {
		return string(r[:maxShown]) + "…"
	}
	return text
}

func (s *source) masked(number int) string {
	line := s.lines[number-1]
	if s.broken {
		return onlyOurWords(line)
	}
	for _, h := range s.hidden {
		line = h.cover(line, number)
	}
	for _, w := range s.words {
		line = strings.ReplaceAll(line, w, stars(w))
	}
	return userinfo.ReplaceAllString(line, "//"+mask+"@")
}

// cover stars out what the span has of this line. The line keeps its width, so that carets still point well.
func (h span) cover(line string, number int) string {
	if number < h.from.line || number > h.to.line {
		return line
	}
	r := []rune(line)
	from, to := 0, len(r)
	if number == h.from.line {
		from = min(h.from.column-1, len(r))
	}
	if number == h.to.line {
		to = min(h.to.column-1, len(r))
	}
	if from >= to {
		return line
	}
	return string(r[:from]) + stars(string(r[from:to])) + string(r[to:])
}

// stars replaces all but white space.
func stars(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' {
			return r
		}
		return '*'
	}, s)
}

// hide keeps the value n of a mapping or list out of error messages.
func (d *decoder) hide(n ast.Node) {
	first, last := firstToken(n), lastToken(n)
	if first == nil || last == nil {
		return
	}
	h := span{from: at(first), to: place{line: len(d.source.lines) + 1, column: 1}}
	if last.Next != nil {
		h.to = at(last.Next)
	}
	d.source.hidden = append(d.source.hidden, h)
	for t := first; t != nil; t = t.Next {
		d.source.words = append(d.source.words, pieces(t.Value)...)
		if t == last {
			break
		}
	}
}

// pieces are the parts of a secret that are worth searching for.
func pieces(secret string) []string {
	var out []string
	for _, w := range strings.Fields(secret) {
		if len(w) >= minWord {
			out = append(out, w)
		}
	}
	return out
}

// firstToken is where a node's text begins.
func firstToken(n ast.Node) *token.Token {
	switch n := n.(type) {
	case nil:
		return nil
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return firstToken(n.Values[0])
		}
	case *ast.MappingValueNode:
		return n.Key.GetToken()
	}
	return n.GetToken()
}

// lastToken is where a node's text ends.
func lastToken(n ast.Node) *token.Token {
	switch n := n.(type) {
	case nil:
		return nil
	case *ast.MappingNode:
		if n.IsFlowStyle && n.End != nil {
			return n.End
		}
		if len(n.Values) > 0 {
			return lastToken(n.Values[len(n.Values)-1])
		}
	case *ast.MappingValueNode:
		return lastToken(n.Value)
	case *ast.SequenceNode:
		if n.IsFlowStyle && n.End != nil {
			return n.End
		}
		if len(n.Values) > 0 {
			return lastToken(n.Values[len(n.Values)-1])
		}
	case *ast.LiteralNode:
		return n.Value.GetToken()
	case *ast.AnchorNode:
		return lastToken(n.Value)
	case *ast.TagNode:
		return lastToken(n.Value)
	case *ast.AliasNode:
		return lastToken(n.Value)
	}
	return n.GetToken()
}

// cutComments takes the comments off the lines that are shown: they say nothing to a parser, and may hold what was there before.
func (s *source) cutComments(tokens token.Tokens) {
	for _, t := range tokens {
		p := at(t)
		if t.Type != token.CommentType || p.line > len(s.lines) {
			continue
		}
		line := []rune(s.lines[p.line-1])
		if p.column <= len(line) && line[p.column-1] == '#' {
			s.lines[p.line-1] = strings.TrimRight(string(line[:p.column-1]), " \t")
		}
	}
}

// word is what can be a secret or a part of one in a file that is not YAML.
var word = regexp.MustCompile(`[^\s:,\[\]{}'"#|>$-]+`)

// onlyOurWords stars out every word that is no key of ours.
func onlyOurWords(line string) string {
	ours := map[string]bool{"env": true, "file": true}
	keys(reflect.TypeFor[Config](), "", func(path string, f field) { ours[f.key] = true })
	return word.ReplaceAllStringFunc(line, func(w string) string {
		if ours[w] {
			return w
		}
		return strings.Repeat("*", len([]rune(w)))
	})
}
