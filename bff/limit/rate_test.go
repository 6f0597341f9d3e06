package limit_test

import (
	"fmt"
	"testing"
	"time"

	"cloakroom/bff/limit"
)

func TestRatesAreReadStrictly(t *testing.T) {
	for _, c := range []struct {
		text string
		want limit.Rate // the zero one: refused
	}{
		{"100/1m", limit.Rate{Count: 100, Period: time.Minute}},
		{"1/24h", limit.Rate{Count: 1, Period: 24 * time.Hour}},
		{"5/1h30m", limit.Rate{Count: 5, Period: 90 * time.Minute}},
		{"10000/1s", limit.Rate{Count: 10000, Period: time.Second}},
		{"10001/1s", limit.Rate{}}, {"600001/1m", limit.Rate{}}, // more than 10000 a second
		{"0/1m", limit.Rate{}}, {"-1/1m", limit.Rate{}}, {"+1/1m", limit.Rate{}}, {"01/1m", limit.Rate{}}, {"1.5/1m", limit.Rate{}}, {"99999999999/1m", limit.Rate{}},
		{"100", limit.Rate{}}, {"100/", limit.Rate{}}, {"100/m", limit.Rate{}}, {"100/60", limit.Rate{}}, {"/1m", limit.Rate{}}, {"", limit.Rate{}}, {"100 / 1m", limit.Rate{}},
		{"100/1m/2", limit.Rate{}}, {"100/500ms", limit.Rate{}}, {"100/1.5s", limit.Rate{}}, {"100/0s", limit.Rate{}}, {"100/-1m", limit.Rate{}}, {"100/25h", limit.Rate{}},
	} {
		got, err := limit.ParseRate(c.text)
		if refused := c.want == (limit.Rate{}); refused != (err != nil) || !refused && got != c.want {
			t.Errorf("%q: %v, %v, want %v", c.text, got, err, c.want)
		}
	}
}

// What is read is written, and read again, as the same.
func FuzzParseRate(f *testing.F) {
	for _, text := range []string{"100/1m", "1/24h", "5/1h30m", "9/90s", "100/m"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := limit.ParseRate(text)
		if err != nil {
			return
		}
		if again, err := limit.ParseRate(fmt.Sprint(r)); err != nil || again != r {
			t.Errorf("%q is %v, which is %v, %v", text, r, again, err)
		}
		if r.Count < 1 || r.Period < time.Second || r.Period > 24*time.Hour || float64(r.Count)/r.Period.Seconds() > 10000 {
			t.Errorf("%q is %v", text, r)
		}
	})
}
