package compose

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// shaped compiles text and runs it on input, which is JSON.
func shaped(t testing.TB, text, input string) (string, error) {
	t.Helper()
	s, problem := newShape(text)
	if problem != "" {
		t.Fatalf("%s: %s", text, problem)
	}
	s.time = time.Minute // but for the test of that bound, a busy machine may take its time
	return runShape(t, s, input)
}

func runShape(t testing.TB, s *shape, input string) (string, error) {
	t.Helper()
	v, err := decode([]byte(input), true)
	if err != nil {
		t.Fatal(err)
	}
	user := map[string]any{"sub": "ada", "roles": []any{"admin"}}
	out, err := s.run(t.Context(), v, map[string]string{"id": "7"}, map[string]string{"page": "2"}, user, 1<<20)
	return string(out), err
}

func TestAShapeMakesTheAnswer(t *testing.T) {
	for _, c := range []struct{ name, shape, input, want string }{
		{"the design's example", `{name: .me.name, recent: [.orders.items[]? | {id, total}]}`, `{"me":{"name":"Ada","x":1},"orders":{"items":[{"id":1,"total":"9.50","y":0}]}}`, `{"name":"Ada","recent":[{"id":1,"total":"9.50"}]}`},
		{"a leg that failed is null", `{name: .me.name, recent: [.orders.items[]? | {id}]}`, `{"me":{"name":"Ada"},"orders":null}`, `{"name":"Ada","recent":[]}`},
		{"numbers stay as they are written", `.n`, `{"n":[1.0,12345678901234567890123,1e999,0.10]}`, `[1.0,12345678901234567890123,1e999,0.10]`},
		{"multiplication of numbers", `[.a[] | .price * .n]`, `{"a":[{"price":12.5,"n":2},{"price":3,"n":4}]}`, `[25,12]`},
		{"multiplication binds as it should", `1 + 2 * 3 * .x - 1`, `{"x":2}`, `12`},
		{"differences", `[.a - .b, .a - 0.5, -.a]`, `{"a":3,"b":5}`, `[-2,2.5,-3]`},
		{"sums of all kinds", `[.a + .b, .s + "x", ([.a] + [.b]), ({x: 1} + {y: 2}), (null + 1), ([1,2] | add)]`, `{"a":3,"b":5,"s":"s"}`, `[8,"sx",[3,5],{"x":1,"y":2},1,3]`},
		{"names made of values", `{"n\(.a)": .o["k\(.a)"], (.s): .l[.a], "x": .l[1:]}`, `{"a":1,"s":"s","o":{"k1":"v"},"l":[1,2,3]}`, `{"n1":"v","s":2,"x":[2,3]}`},
		{"what is counted goes on", `"\(.s)/" | ascii_upcase | ascii_downcase | [., "b"] | reverse | join("+")`, `{"s":"S"}`, `"b+s/"`},
		{"text with a suffix", `"\(.s)"[0:1] + @uri "?q=\(.s)" + (.s | @text)`, `{"s":"a b"}`, `"a?q=a%20ba b"`},
		{"path values, parameters and the user", `[$path.id, $query.page, $user.sub, $user.roles[0]]`, `{}`, `["7","2","ada","admin"]`},
		{"joining two legs", `INDEX(.users[]; .id) as $u | [.orders[] | {id, by: $u[.user].name}]`, `{"users":[{"id":"a","name":"Ada"}],"orders":[{"id":1,"user":"a"}]}`, `[{"by":"Ada","id":1}]`},
		{"text in text", `"\(.me.name): \(.n | tostring)"`, `{"me":{"name":"Ada"},"n":3}`, `"Ada: 3"`},
		{"choosing, sorting, counting", `[.a[] | select(.n > 1)] | sort_by(.n) | {first: first.n, last: last.n, count: length, sum: (map(.n) | add)}`, `{"a":[{"n":3},{"n":1},{"n":2}]}`, `{"count":2,"first":2,"last":3,"sum":5}`},
		{"what browsers would read as HTML stays", `.a`, `{"a":"<b>&"}`, `"<b>&"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := shaped(t, c.shape, c.input); got != c.want || err != nil {
				t.Errorf("%s of %s: %s, %v; want %s", c.shape, c.input, got, err, c.want)
			}
		})
	}
}

// Each of them has taken a process' memory or a request's time in an experiment, or reads what is not the request's.
func TestAShapeMayNotHaveWhatRunsAway(t *testing.T) {
	for _, text := range []string{
		`[range(1000000000)]`, `last(range(1e12))`, `repeat(1)`, `until(false;.)`, `while(true;.)`, `def f: f; f`, `def f: [f]; f`, `reduce range(28) as $i ([0];[.,.])`,
		`foreach .a[] as $x (0;1)`, `label $out | 1`, `[limit(3; repeat(1))]`, `setpath(["a",500000000];1)`, `.a[500000000] = 1`, `.a |= 1`, `.a += 1`, `.a //= 1`, `pick(.[1000000000])`,
		`recurse(.a)`, `recurse(.a; .b)`, `walk(.)`, `combinations`, `transpose`, `env`, `$ENV`, `$ENV.PATH`, `env.PATH`, `input`, `[inputs]`, `"\(input)"`, `{(input): 1}`, `try input catch .`, `now`, `localtime`, `halt`, `halt_error`,
		`error`, `error("x")`, `debug`, `stderr`, `input_filename`, `$__loc__`, `$__prog_args`, `get_search_list`, `import "a" as a; 1`, `include "a"; 1`, `tojson`, `fromjson`, `explode`, `implode`, `gsub("a";"b")`, `test("(a+)+$")`, `splits("a")`,
		`@json`, `@base64d`, `@sh "a"`, `contains("a")`, `indices(1)`, `limit(1; range(2))`, `_plus`, `_multiply(.a; .b)`, `_modify(.a; 1)`, `getpath(["a"])`, `delpaths([["a"]])`, `.[] as [$a] ?// $b | input`, `. as {a: $x, (input): $y} | 1`,
		`_times(1; 2)`, `_charge(1; 2)`, `$__spent`, `_key(1)`, `nth(1)`, `first(input)`, `if input then 1 else 2 end`, `[.[input]]`, `.[input:]`, `-input`, `.a?.b[now]`, `@uri "\(now)"`,
	} {
		if _, problem := newShape(text); problem == "" {
			t.Errorf("%s is taken", text)
		}
	}
}

func TestAMistakeInAShapeSaysWhere(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{name: .me.name, recent: [.orders | | 1]}`, `"|" does not fit at character 37, behind " recent: [.orders | "`}, // counted by hand
		{`{name: .me`, `ends too early`},
		{`{"ü": .me, x: ]}`, `"]" does not fit at character 15, behind "{\"ü\": .me, x: "`},
		{`$users`, "variable not defined: $users; it knows the variables $path, $query and $user"},
		{`frobnicate(1)`, "frobnicate/1"},
		{strings.Repeat(" ", maxShape) + "1", "longer than 8192 bytes"},
	} {
		if _, problem := newShape(c.text); !strings.Contains(problem, c.want) {
			t.Errorf("%.60s: %s, want %s", c.text, problem, c.want)
		}
	}
}

func TestAShapesFailureSaysNothingOfTheData(t *testing.T) {
	for _, text := range []string{`.me.name.x`, `.me.name[]`, `.me.name * 2`, `.me + 1`, `.me | keys | .[0] | tonumber`, `.me, .me`, `empty`, `.me.name as [$a] | $a`, `-.me`} {
		out, err := shaped(t, text, `{"me":{"name":"the-secret"}}`)
		if out != "" || !errors.Is(err, ErrShape) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %q, %v", text, out, err)
		}
	}
}

// `as` and [$x, $x] share memory; only writing them would unfold them.
func TestASmallShapeCannotMakeAHugeAnswer(t *testing.T) {
	text := ".me"
	for range 60 {
		text += " | [., .]"
	}
	begun := time.Now()
	if _, err := shaped(t, text, `{"me":"x"}`); !errors.Is(err, errLarge) {
		t.Errorf("%v, want that it is too large", err)
	}
	if d := time.Since(begun); d > 5*time.Second {
		t.Errorf("it took %v", d)
	}
	if _, err := shaped(t, `[.a[] as $x | .a[] as $y | "\($x)\($y)"]`, `{"a":[`+strings.TrimSuffix(strings.Repeat(`"0123456789012345678901234567890123456789012345678901234567890123456789",`, 100), ",")+`]}`); !errors.Is(err, errLarge) {
		t.Errorf("a product of two lists: %v, want that it is too large", err)
	}
}

func TestAShapeThatTakesLongIsCut(t *testing.T) {
	list := `{"a":[` + strings.TrimSuffix(strings.Repeat("1,", 20000), ",") + `]}`
	s, _ := newShape(`[.a[] as $x | .a[] as $y | .a[] as $z | select($x + $y + $z < 0)]`)
	if _, err := runShape(t, s, list); !errors.Is(err, ErrShape) || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("%v, want that it takes too long", err)
	}
	s, _ = newShape(`[.a[] as $x | .a[] as $y | select($x + $y < 0)]`)
	v, _ := decode([]byte(list), true)
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	if _, err := s.run(ctx, v, nil, nil, nil, 1<<20); !errors.Is(err, gone) {
		t.Errorf("%v, want the cause that ended the request", err)
	}
}

// Copying at the speed of memory is gigabytes in the time that a shape has.
func TestAShapeThatCopiesMuchIsCut(t *testing.T) {
	input := `{"big":"` + strings.Repeat("x", 16<<10) + `","list":[` + strings.TrimSuffix(strings.Repeat("1,", 400), ",") + `]}`
	for _, text := range []string{
		`[.big as $b | .list[] | $b + "x"] | length`, `[.big as $b | .list[] | "\($b)x"] | length`, `[.big as $b | .list[] | {"\($b)x": 1}] | length`, `[.big as $b | .list[] | [$b, "x"] | add] | length`,
		`[.big as $b | .list[] | [$b, "x"] | join("")] | length`, `[.big as $b | .list[] | $b | ascii_upcase] | length`, `[.big as $b | .list[] | $b | @uri] | length`, `[.list as $l | .list[] | $l + [1]] | length`,
		`[.list as $l | .list[] | $l | reverse] | length`, `[.list as $l | .list[] | $l | tostring] | length`, `[.big as $b | .list[] | @uri "\($b)"] | length`,
	} {
		s, problem := newShape(text)
		if problem != "" {
			t.Fatal(problem)
		}
		s.time, s.copy = time.Minute, 32<<20
		if out, err := runShape(t, s, input); err != nil {
			t.Errorf("%s: %s, %v, want that it may copy 32 MiB", text, out, err)
		}
		s.copy = 256 << 10
		if _, err := runShape(t, s, input); !errors.Is(err, errCopied) {
			t.Errorf("%s: %v, want that it copies too much", text, err)
		}
	}
}

// Two lists of an upstream's making, compared item by item, would take minutes in one operation.
func TestListsAreNotComparedItemByItem(t *testing.T) {
	list := strings.TrimSuffix(strings.Repeat("1,", 50000), ",")
	for _, text := range []string{`.a - .b`, `.a[.b]`, `.b as $b | .a | .[$b]`} {
		if _, err := shaped(t, text, `{"a":[`+list+`],"b":[`+list+`,2]}`); !errors.Is(err, errNumbers) && !errors.Is(err, errKey) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestOnlyNumbersAreMultiplied(t *testing.T) {
	for _, c := range []struct {
		a, b any
		want any
	}{
		{3, 4, 12}, {json.Number("3"), 4, 12}, {json.Number("1.5"), 2, 3.0}, {1 << 40, 1 << 40, float64(1<<40) * (1 << 40)}, {"a", 1000000000, errNumbers}, {1000000000, "a", errNumbers},
		{map[string]any{}, map[string]any{}, errNumbers}, {nil, 1, errNumbers},
	} {
		if got := times(c.a, c.b); got != c.want {
			t.Errorf("%v * %v = %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

func BenchmarkShape(b *testing.B) {
	s, _ := newShape(`{name: .me.name, recent: [.orders.items[]? | {id, total}]}`)
	input := `{"me":{"name":"Ada","email":"ada@example.com"},"orders":{"items":[{"id":1,"total":"9.50"},{"id":2,"total":"9.50"},{"id":3,"total":"9.50"}]}}`
	b.ReportAllocs()
	for b.Loop() {
		v, _ := decode([]byte(input), true)
		if _, err := s.run(b.Context(), v, nil, nil, nil, 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}
