package configs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxDepth bounds how deep values lie in each other. Our own keys go six levels deep; the parser
// calls itself once a level, so that a line of brackets could otherwise exhaust the stack.
const maxDepth = 40

// place is a position in the file, from 1. Columns count characters.
type place struct {
	line, column int
	expanded     []expansion // what the value there was made of, if it had ${…}
	key          string      // the key of the file's defaults that a route has its value from
}

func at(t *token.Token) place {
	return place{line: t.Position.Line, column: t.Position.Column}
}

// yaml parses text into the one node that the document holds, nil for an empty one.
func (d *decoder) yaml(text string) (ast.Node, bool) {
	tokens := lexer.Tokenize(text)
	d.source.cutComments(tokens)
	if t := tooDeep(tokens); t != nil {
		return nil, d.unreadable(t, "is nested too deeply")
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey()) // we find duplicates ourselves, all of them
	if err != nil {
		return nil, d.syntax(err)
	}
	var body ast.Node
	for i, doc := range file.Docs {
		if directive, ok := doc.Body.(*ast.DirectiveNode); ok {
			return nil, d.unreadable(directive.GetToken(), "has a YAML directive, which is not supported; leave the line out")
		}
		if i > 0 && doc.Body != nil {
			return nil, d.unreadable(first(doc), "starts a second YAML document; a configuration is one")
		}
		if doc.Body != nil {
			body = doc.Body
		}
	}
	return body, true
}

func first(doc *ast.DocumentNode) *token.Token {
	if doc.Start != nil {
		return doc.Start
	}
	return firstToken(doc.Body)
}

// unreadable reports a mistake after which nothing else can be said about the file. It answers false, for its callers to return.
func (d *decoder) unreadable(t *token.Token, problem string) bool {
	d.source.broken = true
	d.report("", at(t), problem)
	return false
}

// syntax reports what the parser did not like, with the one trap that everyone steps into.
func (d *decoder) syntax(err error) bool {
	problem, where := "is not YAML", place{line: 1, column: 1}
	if ye, ok := errors.AsType[yaml.Error](err); ok {
		problem = "is not YAML: " + strings.ReplaceAll(ye.GetMessage(), "\t", `\t`)
		if t := ye.GetToken(); t != nil {
			where = at(t)
		}
	}
	d.source.broken = true
	if where.line <= len(d.source.lines) && bareExpansion(d.source.lines[where.line-1]) {
		problem = `is not YAML: inside [ ] and { }, ${…} needs quotes, such as ["${env:NAME}"]`
	}
	d.report("", where, problem)
	return false
}

// bareExpansion tells whether line has an unquoted ${ after an opening bracket.
func bareExpansion(line string) bool {
	before, _, found := strings.Cut(line, "${")
	before = strings.TrimRight(before, "$")
	return found && strings.ContainsAny(before, "[{") && !strings.HasSuffix(before, `"`) && !strings.HasSuffix(before, "'")
}

// tooDeep is the token that lies deeper than maxDepth, if there is one. It counts brackets, and dashes that follow each
// other on a line; indentation needs no count, because it costs the file a square of its depth.
func tooDeep(tokens token.Tokens) *token.Token {
	brackets, dashes, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			dashes, line = 0, t.Position.Line
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets = max(0, brackets-1)
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			dashes++
		}
		if brackets+dashes > maxDepth {
			return t
		}
	}
	return nil
}

// scalarText is the text of a scalar node, and what kind of thing YAML takes it for. Other nodes answer ok false.
func scalarText(n ast.Node) (text, kind string, ok bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, "text", true
	case *ast.LiteralNode:
		return n.Value.Value, "text", true
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, "a number", true
	case *ast.BoolNode:
		return n.GetToken().Value, "true or false", true
	case *ast.NullNode:
		return "", "nothing", true
	default:
		return "", "", false
	}
}

// shape is what a node is, in words for an error message.
func shape(n ast.Node) string {
	switch n.(type) {
	case ast.MapNode:
		return "keys and values"
	case *ast.SequenceNode:
		return "a list"
	default:
		_, kind, _ := scalarText(n)
		return kind
	}
}

// unsupported names the parts of YAML that are refused.
func unsupported(n ast.Node) string {
	name := ""
	switch n.(type) {
	case *ast.AnchorNode:
		name = "anchor (&)"
	case *ast.AliasNode:
		name = "alias (*)"
	case *ast.TagNode:
		name = "tag (!)"
	default:
		return ""
	}
	return fmt.Sprintf("is a YAML %s, which is not supported; write the value itself, in quotes if it starts with that character", name)
}
