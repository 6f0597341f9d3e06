package tutorial

import (
	"slices"
	"testing"
)

// What the test would pass over, the reader would stumble at: so a page that is not understood is an error.
func TestAPageThatIsNotUnderstoodIsRefused(t *testing.T) {
	for name, page := range map[string]string{
		"a block that does not say what it is": "Save this as `a.js`:\n\n```\nx\n```\n",
		"a file without a name":                "Save this:\n\n```js\nx\n```\n",
		"a block without an end":               "Run\n\n```sh\nls\n",
	} {
		if steps, err := parse(page); err == nil {
			t.Errorf("%s: %+v", name, steps)
		}
	}
}

func TestAPageIsReadInItsOrder(t *testing.T) {
	steps, err := parse("Save this as `b.js`, not `a.js`:\n\n```js\nx\n```\n\nIn a new terminal:\n\n```sh\nls\n```\n\n```text\nb.js\n```\n\n1. Click **Sign in**, type `7`. You see *Hello*.\n\nIn `b.js`:\n\n```diff\n-x\n+y\n```\n")
	want := []step{{3, "file", "a.js", "x\n"}, {9, "terminal", "", "ls\n"}, {13, "text", "", "b.js\n"}, {17, "browser", "", "Click **Sign in**, type `7`. You see *Hello*."}, {21, "diff", "b.js", "-x\n+y\n"}}
	if err != nil || !slices.Equal(steps, want) {
		t.Errorf("%v\n%+v, want\n%+v", err, steps, want)
	}
	if got, want := acts("Open <http://localhost:1>. Click **Sign in**, type `7`. You see *Hello*."), []act{{"open", "http://localhost:1"}, {"click", "Sign in"}, {"type", "7"}, {"see", "Hello"}}; !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestADiffHasOnePlace(t *testing.T) {
	for name, c := range map[string]struct{ text, diff, want string }{
		"a line is replaced":          {"a\nb\nc\n", " a\n-b\n+x\n", "a\nx\nc\n"},
		"a line is added":             {"a\nb\n", " b\n+c\n", "a\nb\nc\n"},
		"a place that is not there":   {"a\n", "-b\n+c\n", ""},
		"a place that is there twice": {"b\nb\n", "-b\n+c\n", ""},
	} {
		got, err := patch(c.text, c.diff)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
}

func TestWhatIsPrintedIsComparedByLines(t *testing.T) {
	for name, c := range map[string]struct {
		page, printed string
		same          bool
	}{
		"the same lines among others":     {"b\nc\n", "a\nb\nc\nd", true},
		"a part of a line":                {"b\n", "abc", false},
		"anything in a line":              {"took …ms\n", "took 12ms", true},
		"anything in a line is no line":   {"a … b\n", "a \n b", false},
		"any lines":                       {"a\n…\nd\n", "a\nb\nc\nd", true},
		"what has a meaning for patterns": {"a.b (c)\n", "axb (c)", false},
		"another order":                   {"a\nb\n", "b\na", false},
	} {
		pattern, err := like(c.page)
		if err != nil || pattern.MatchString(c.printed) != c.same {
			t.Errorf("%s: %v %v, want %t", name, pattern, err, c.same)
		}
	}
}
