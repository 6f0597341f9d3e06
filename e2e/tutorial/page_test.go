package tutorial

import (
	"fmt"
	"regexp"
	"strings"
)

// step is one thing on the page to do or to see.
type step struct {
	line int    // of the page
	kind string // "sh", "terminal", "text", "diff", "file", or "browser"
	name string // of the file
	text string
}

var (
	backticked = regexp.MustCompile("`([^`]+)`")
	numbered   = regexp.MustCompile(`^\d+\. (.*)$`)
)

// parse finds the steps of a page. A block that it cannot place is an error, not a block less.
func parse(page string) ([]step, error) {
	var steps []step
	above := "" // the last line of prose
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if m := numbered.FindStringSubmatch(line); m != nil {
			steps = append(steps, step{line: i + 1, kind: "browser", text: m[1]})
		}
		language, fence := strings.CutPrefix(line, "```")
		if !fence {
			if line != "" {
				above = line
			}
			continue
		}
		end := i + 1
		for end < len(lines) && lines[end] != "```" {
			end++
		}
		s, err := block(language, above, strings.Join(lines[i+1:end], "\n")+"\n")
		if err != nil || end == len(lines) {
			return nil, fmt.Errorf("line %d: a block of %q that is no step, or has no end: %w", i+1, language, err)
		}
		s.line = i + 1
		steps = append(steps, s)
		i = end
	}
	return steps, nil
}

func block(language, above, text string) (step, error) {
	switch {
	case language == "":
		return step{}, fmt.Errorf("it does not say what it is")
	case language == "sh" && strings.Contains(above, "terminal"):
		return step{kind: "terminal", text: text}, nil
	case language == "sh", language == "text":
		return step{kind: language, text: text}, nil
	}
	names := backticked.FindAllStringSubmatch(above, -1)
	if len(names) == 0 {
		return step{}, fmt.Errorf("the line above names no file")
	}
	s := step{kind: "file", name: names[len(names)-1][1], text: text}
	if language == "diff" {
		s.kind = "diff"
	}
	return s, nil
}

// patch applies a diff without line numbers: what it takes away, with what stands around it, must be there once.
func patch(text, diff string) (string, error) {
	var before, after strings.Builder
	for line := range strings.Lines(diff) {
		mark, rest := line[0], line[1:]
		if mark != '+' {
			before.WriteString(rest)
		}
		if mark != '-' {
			after.WriteString(rest)
		}
	}
	if n := strings.Count(text, before.String()); n != 1 {
		return "", fmt.Errorf("the file has %d places for\n%s", n, diff)
	}
	return strings.Replace(text, before.String(), after.String(), 1), nil
}

// like makes a pattern of what the page says is printed.
func like(printed string) (*regexp.Regexp, error) {
	p := regexp.QuoteMeta(strings.TrimSuffix(printed, "\n"))
	p = regexp.MustCompile(`(?m)^…$`).ReplaceAllString(p, `(?s:.*?)`)
	return regexp.Compile(`(?m)^` + strings.ReplaceAll(p, "…", ".*") + `$`)
}

// act is one thing to do in the browser.
type act struct {
	Do   string `json:"do"` // "open", "click", "type", "see", or "look"
	What string `json:"what"`
}

var marked = regexp.MustCompile("<(http[^>]+)>|\\*\\*([^*]+)\\*\\*|\\*([^*]+)\\*|`([^`]+)`")

// acts are what an item of a list says, in its order.
func acts(item string) []act {
	var all []act
	for _, m := range marked.FindAllStringSubmatch(item, -1) {
		for i, do := range []string{"open", "click", "see", "type"} {
			if m[i+1] != "" {
				all = append(all, act{do, m[i+1]})
			}
		}
	}
	return all
}
