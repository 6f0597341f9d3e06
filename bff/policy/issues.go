package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
)

// explainIssues says in one line what is wrong with an expression, where, and what would be right.
func explainIssues(source string, issues *cel.Issues) string {
	var parts []string
	for _, e := range issues.Errors() {
		if strings.HasPrefix(e.Message, "Syntax error") {
			if hint, column := foreignOperator(source, e.Location); hint != "" {
				return fmt.Sprintf("%s (line %d, column %d)", hint, e.Location.Line(), column+1) // the rest follows from it
			}
		}
		message := plainly(strings.TrimSuffix(e.Message, " (in container '')"), wordAt(source, e.Location))
		parts = append(parts, fmt.Sprintf("%s (line %d, column %d)", message, e.Location.Line(), e.Location.Column()+1))
	}
	return strings.Join(parts, "; ")
}

var (
	overload   = regexp.MustCompile(`^found no matching overload for '(.+)' applied to '(.+)'$`)
	undeclared = regexp.MustCompile(`^undeclared reference to '(\w+)'$`)
)

// plainly turns those of CEL's messages that tell a newcomer nothing into some that do.
func plainly(message, word string) string {
	switch m := undeclared.FindStringSubmatch(message); {
	case m != nil && (word == m[1] || strings.HasPrefix(word, m[1]+".")):
		return noAttribute(m[1], word)
	case m != nil:
		return fmt.Sprintf("there is no function %s()", m[1])
	case message == "invalid matches argument":
		return "the pattern of matches() is no regular expression of RE2 (which has no look-ahead and no backreference)"
	case strings.HasPrefix(message, "type 'timestamp' does not support field selection"):
		return "a time has no such part; there is " + attributes("now")
	}
	if m := overload.FindStringSubmatch(message); m != nil {
		return doNotGo(strings.Trim(m[1], "_@"), m[2])
	}
	return message
}

// doNotGo says that an operator or function is not for values of these types.
func doNotGo(operator, types string) string {
	switch {
	case operator == "==" && slices.Contains([]string{"(list(string), string)", "(string, list(string))"}, types):
		return `a list is never == a text; write "a" in list`
	case operator == "in" && strings.HasSuffix(types, ", string)"):
		return `"in" wants a list or a map behind it; for a part of a text write text.contains("a")`
	case strings.Contains(types, "duration, "):
		types += `; write a span of time as duration("15m")`
	case regexp.MustCompile(`^\w+$`).MatchString(operator) && operator != "in":
		operator += "()"
	}
	return fmt.Sprintf("%s does not go with %s", operator, types)
}

// noAttribute says what there is in the place of word, which begins with name.
func noAttribute(name, word string) string {
	have := attributes(name)
	switch sub, below := strings.CutPrefix(word, name+"."); {
	case have == "":
		return fmt.Sprintf("there is no %s; expressions have user, session, request, resource and now", name)
	case !below:
		return fmt.Sprintf("%s alone has no value; there is %s", name, have)
	case name == "user":
		return fmt.Sprintf("there is no %s; there is %s; a claim is user.claims.%s", word, have, sub)
	}
	return fmt.Sprintf("there is no %s; there is %s", word, have)
}

// attributes are what the vocabulary has below a name.
func attributes(name string) string {
	var all []string
	for _, a := range Vocabulary() {
		if strings.HasPrefix(a.Name, name+".") {
			all = append(all, a.Name)
		}
	}
	return strings.Join(all, ", ")
}

// lineAt is the line of source at a place, and the place's column in it.
func lineAt(source string, at common.Location) ([]rune, int) {
	lines := strings.Split(source, "\n")
	if at.Line() < 1 || at.Line() > len(lines) {
		return nil, 0
	}
	line := []rune(lines[at.Line()-1])
	return line, max(0, min(at.Column(), len(line)))
}

// wordAt is the name with dots that begins at a place.
func wordAt(source string, at common.Location) string {
	line, column := lineAt(source, at)
	return regexp.MustCompile(`^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*`).FindString(string(line[column:]))
}

// foreign are operators of other languages, and what CEL has in their place.
var foreign = map[string]string{"and": "&&", "or": "||", "not": "!", "AND": "&&", "OR": "||", "NOT": "!", "is": "==", "=": "==", "===": "==", "!==": "!=", "<>": "!="}

// foreignOperator says which operator of another language stands at a place, or ends right before it.
func foreignOperator(source string, at common.Location) (hint string, column int) {
	line, stop := lineAt(source, at)
	for _, w := range regexp.MustCompile(`[A-Za-z]+|[=<>!]+`).FindAllStringIndex(string(line), -1) {
		word := string(line)[w[0]:w[1]]
		from, to := len([]rune(string(line)[:w[0]])), len([]rune(string(line)[:w[1]]))
		if right, ok := foreign[word]; ok && from <= stop && stop <= to+1 {
			return fmt.Sprintf("%q is no operator of CEL; write %s", word, right), from
		}
	}
	return "", 0
}
