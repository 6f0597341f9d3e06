package limit

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rate is how many in how long.
type Rate struct {
	// Count is at least 1.
	Count int
	// Period is of whole seconds.
	Period time.Duration
}

const (
	// fastest is how many a second a limit may allow: beyond, whole microseconds between two are too coarse to be fair.
	fastest = 10000
	// longest bounds a rate's period, and slowest the time in which a burst comes back: counts live for that long.
	longest = 24 * time.Hour
	slowest = 30 * 24 * time.Hour
)

// ParseRate reads a rate such as 100/1m: a number, a slash and a duration of whole seconds.
func ParseRate(text string) (Rate, error) {
	const right = "write, for example, 100/1m or 5/30s"
	number, span, ok := strings.Cut(text, "/")
	if !ok {
		return Rate{}, fmt.Errorf("%q has no slash; %s", text, right)
	}
	count, err := strconv.ParseUint(number, 10, 31)
	if err != nil || count == 0 || number[0] == '0' || number[0] == '+' {
		return Rate{}, fmt.Errorf("%q does not start with a number from 1 on; %s", text, right)
	}
	period, err := time.ParseDuration(span)
	if err != nil {
		return Rate{}, fmt.Errorf("%q has no duration with a number and its unit behind the slash; %s", text, right)
	}
	r := Rate{int(count), period}
	return r, r.check()
}

func (r Rate) check() error {
	switch {
	case r.Period < time.Second || r.Period > longest || r.Period%time.Second != 0:
		return fmt.Errorf("%v is not a whole number of seconds from 1s to 24h", r.Period)
	case r.Count > fastest*int(r.Period/time.Second):
		return fmt.Errorf("%d in %v is more than %d a second", r.Count, r.Period, fastest)
	}
	return nil
}

// String is the rate as it may be written, in its largest unit.
func (r Rate) String() string {
	for _, u := range []struct {
		name string
		is   time.Duration
	}{{"h", time.Hour}, {"m", time.Minute}} {
		if r.Period%u.is == 0 {
			return fmt.Sprintf("%d/%d%s", r.Count, r.Period/u.is, u.name)
		}
	}
	return fmt.Sprintf("%d/%ds", r.Count, r.Period/time.Second)
}

// defaultBurst is how many may come at once where nothing says so.
func (r Rate) defaultBurst() int { return min(r.Count, max(10, r.Count/10)) }
