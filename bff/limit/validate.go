package limit

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"time"
)

// most is how many limits one route may have.
const most = 8

// maxConcurrent and maxBurst keep numbers in the range of what a machine does.
const maxConcurrent, maxBurst = 100000, 1000000

// names are what a shared limit may be called: the name is an item of a header field and a label.
var names = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// taken are the names that limits have which nobody named.
var taken = []string{perUser, perSession, perIP, perCaller, perRoute, "login", "callback", "backchannel", "callers"}

// Validate reports what is wrong with c, key by key.
func (c Config) Validate(report func(key, problem string)) {
	for i, text := range c.Exempt {
		if _, err := parseNetwork(text); err != nil {
			report(fmt.Sprintf("exempt[%d]", i), err.Error())
		}
	}
	for name, l := range c.Shared {
		switch {
		case !names.MatchString(name):
			report("shared."+name, fmt.Sprintf("%q is no name; it starts with a lower-case letter, and has up to 32 of a to z, 0 to 9, - and _", name))
		case slices.Contains(taken, name):
			report("shared."+name, fmt.Sprintf("%q is what limits without a name are called; take another", name))
		}
		if l.Shared != "" {
			report("shared."+name+".shared", "is for routes; write the limit itself here")
		}
	}
	if c.Timeout < 5*time.Millisecond || c.Timeout > 5*time.Second {
		report("timeout", fmt.Sprintf("%v is not between 5ms and 5s", c.Timeout))
	}
	if c.Replicas < 1 || c.Replicas > 1000 {
		report("replicas", fmt.Sprintf("%d is not between 1 and 1000", c.Replicas))
	}
}

// CheckRoute reports what is wrong between the limits of one route, by their places in the list.
func (c Config) CheckRoute(limits []Limit, report func(place int, problem string)) {
	if len(limits) > most {
		report(most, fmt.Sprintf("is one of %d limits; a route has %d at most", len(limits), most))
		return
	}
	s := &Set{limiter: &Limiter{cfg: c}}
	for _, one := range limits {
		r, err := s.limiter.resolve(one, "")
		if err != nil {
			return // a limit that is wrong by itself is reported where it stands
		}
		s.add(r)
	}
	if same := s.distinguish(); same != nil {
		report(same.at, same.Error())
	}
}

// Validate reports what is wrong with l, key by key.
func (l Limit) Validate(report func(key, problem string)) {
	switch {
	case l.Shared != "":
		l.validateShared(report)
	case l.Rate != "" && l.Concurrent != 0:
		report("concurrent", "is beside rate; make it a limit of its own, the next in the list")
	case l.Rate != "":
		validateRate(l.Rate, l.Burst, 0, report)
	case l.Concurrent != 0:
		l.validateConcurrent(report)
	default:
		report("rate", "is missing; write rate: 100/1m, or concurrent: 5, or the name of one of limits.shared")
	}
}

// validateShared wants nothing beside a name: what it stands for is said once.
func (l Limit) validateShared(report func(key, problem string)) {
	if l.Rate != "" || l.Burst != 0 || l.Concurrent != 0 || l.Per != perUser && l.Per != "" || l.Outage != outageLocal && l.Outage != "" || l.ReportOnly {
		report("shared", fmt.Sprintf("%q stands for the whole limit; say the rest in limits.shared.%s", l.Shared, l.Shared))
	}
}

func (l Limit) validateConcurrent(report func(key, problem string)) {
	if l.Concurrent < 0 || l.Concurrent > maxConcurrent {
		report("concurrent", fmt.Sprintf("%d is not between 1 and %d", l.Concurrent, maxConcurrent))
	}
	if l.Burst != 0 {
		report("burst", "is for a rate; concurrent needs none")
	}
	if l.Outage != outageLocal && l.Outage != "" {
		report("outage", "is for a rate; concurrent asks Redis nothing")
	}
}

// Validate reports what is wrong with l.
func (l Login) Validate(report func(key, problem string)) { validateFixed(l.Rate, l.Burst, report) }

// Validate reports what is wrong with l.
func (l Callback) Validate(report func(key, problem string)) { validateFixed(l.Rate, l.Burst, report) }

// Validate reports what is wrong with l.
func (l Backchannel) Validate(report func(key, problem string)) {
	validateFixed(l.Rate, l.Burst, report)
}

// Validate reports what is wrong with l.
func (l Callers) Validate(report func(key, problem string)) { validateFixed(l.Rate, l.Burst, report) }

func validateFixed(rate string, burst int, report func(key, problem string)) {
	if rate != off {
		validateRate(rate, burst, 1, report)
	}
}

// validateRate wants a rate, and a burst from least on that comes back in finite time.
func validateRate(rate string, burst, least int, report func(key, problem string)) {
	r, err := ParseRate(rate)
	if err != nil {
		report("rate", err.Error())
		return
	}
	if burst < least || burst > maxBurst {
		report("burst", fmt.Sprintf("%d is not between %d and %d", burst, least, maxBurst))
		return
	}
	if back := quotaOf(r, burst).refill(); back > slowest {
		report("burst", fmt.Sprintf("%d take %v at a rate of %v to come back, which is more than 720h", burst, back.Round(time.Hour), r))
	}
}

// parseNetwork reads a network, or one address.
func parseNetwork(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" && !a.Is4In6() {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("%q is no network such as 10.0.0.0/8 or 2001:db8::/48, and no address", text)
	case p.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%q is an IPv4 network in IPv6's clothes; write it as IPv4", text)
	case p != p.Masked():
		return netip.Prefix{}, fmt.Errorf("%q has bits behind the network; write %s", text, p.Masked())
	}
	return p, nil
}
