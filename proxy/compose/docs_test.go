package compose

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What docs/compose.md says that a shape may call is what a shape may call.
func TestTheFunctionsOfShapesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/compose.md")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile("(?s)- `(empty select .*?)`").FindStringSubmatch(string(page))
	if list == nil {
		t.Fatal("docs/compose.md has no list of functions")
	}
	documented, real := strings.Fields(list[1]), slices.Sorted(maps.Keys(functions))
	if slices.Sort(documented); !slices.Equal(documented, real) {
		t.Errorf("documented %q\nwant       %q", documented, real)
	}
	for _, o := range []Outcome{OK, Unreachable, TimedOut, Status, TooLarge, Malformed, NoToken, Cancelled} {
		if !strings.Contains(string(page), "| `"+string(o)+"` |") {
			t.Errorf("the outcome %s is not documented", o)
		}
	}
}
