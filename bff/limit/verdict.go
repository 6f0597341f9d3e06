package limit

import (
	"strconv"
	"time"
)

// What a Verdict's Reason says.
const (
	// ReasonRate is too many requests in too short a time.
	ReasonRate = "rate"
	// ReasonConcurrent is too many at the same time.
	ReasonConcurrent = "concurrent"
	// ReasonOutage is a limit that is closed while the store does not answer.
	ReasonOutage = "outage"
)

// Verdict says whether a request may go on.
type Verdict struct {
	// Allow lets it go on.
	Allow bool
	// Unavailable says that it was refused because it could not be counted: 503, not 429.
	Unavailable bool
	// Limit is the name of the limit that refused first in the list, and Reason is one of the Reason constants.
	Limit, Reason string
	// RetryAfter is when it is worth trying again, in whole seconds, at least one; 0 if it was allowed.
	RetryAfter time.Duration
	// Err is why the store did not count, if so. Then each limit's outage decided; the request may have been allowed all the same.
	Err error

	set     *Set
	known   mask // whose ahead is known
	local   mask // counted in memory
	refused mask
	reports mask
	ahead   [most]int64 // of a concurrent rule: places left
}

// learn takes note of how a rule stands.
func (v *Verdict) learn(i int, ahead int64) {
	v.known |= 1 << i
	v.ahead[i] = ahead
}

// refuseOrReport does what the rule wants: a rule that only reports lets pass.
func (v *Verdict) refuseOrReport(i int, reason string, wait int64) {
	if v.set.rules[i].report {
		v.reports |= 1 << i
		return
	}
	v.refuse(i, reason, wait)
}

// refuse refuses, for the longest of all reasons; wait is in microseconds.
func (v *Verdict) refuse(i int, reason string, wait int64) {
	v.refused |= 1 << i
	if v.Allow {
		v.Allow, v.Limit, v.Reason = false, v.set.rules[i].name, reason
	}
	v.RetryAfter = max(v.RetryAfter, time.Duration(max(1, seconds(wait)))*time.Second)
}

// Violated are the names of all limits that refused: the member `violated-policies` of a problem.
func (v *Verdict) Violated() []string { return v.names(v.refused) }

// Reports are the names of the limits that would have refused, had they not been told to report only.
func (v *Verdict) Reports() []string { return v.names(v.reports) }

// Local tells whether the request was counted in this process's memory, since the store did not answer.
func (v *Verdict) Local() bool { return v.Err != nil && v.local != 0 }

func (v *Verdict) names(of mask) []string {
	var names []string
	for i := range most {
		if of.has(i) {
			names = append(names, v.set.rules[i].name)
		}
	}
	return names
}

// Policy is the value of the field RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-11, section 3), empty where nobody is to
// know. It is the same for every request of the Set.
func (v *Verdict) Policy() string {
	if v.set == nil {
		return ""
	}
	return v.set.policy
}

// Remaining is the value of the field RateLimit (section 4 there): how much is left of each limit that counted. Empty if there is none to tell.
func (v *Verdict) Remaining() string {
	if v.set == nil || v.known == 0 {
		return ""
	}
	var room [128]byte
	b := room[:0]
	for i := range v.set.rules {
		if r := &v.set.rules[i]; v.known.has(i) && !r.hidden && !r.report {
			b = appendName(b, r.name)
			b = v.appendLeft(b, i)
		}
	}
	return string(b)
}

// appendLeft appends how much is left, and for how long no more than that may be used: until one more is allowed, or else until everything is.
func (v *Verdict) appendLeft(b []byte, i int) []byte {
	b = append(b, ";r="...)
	if v.set.rules[i].concurrent > 0 {
		return strconv.AppendInt(b, v.ahead[i], 10)
	}
	q, ahead := v.set.quota(v, i), v.ahead[i]
	left, until := q.left(ahead), ahead
	if left <= 0 {
		left, until = 0, q.wait(ahead)
	}
	b = strconv.AppendInt(b, left, 10)
	return strconv.AppendInt(append(b, ";t="...), max(1, seconds(until)), 10)
}

// policyField is RateLimit-Policy. A burst has no place in it; what it allows beyond the quota is a gift.
func (s *Set) policyField() string {
	var b []byte
	for _, r := range s.rules {
		if r.hidden || r.report {
			continue
		}
		b = appendName(b, r.name)
		if r.concurrent > 0 {
			b = strconv.AppendInt(append(b, ";q="...), int64(r.concurrent), 10)
			b = append(b, `;qu="concurrent-requests"`...)
			continue
		}
		b = strconv.AppendInt(append(b, ";q="...), int64(r.rate.Count), 10)
		b = strconv.AppendInt(append(b, ";w="...), int64(r.rate.Period/time.Second), 10)
	}
	return string(b)
}

// appendName begins the next item of a list with its name, a string of structured fields (RFC 9651): no name has anything to escape.
func appendName(b []byte, name string) []byte {
	if len(b) > 0 {
		b = append(b, ", "...)
	}
	return append(append(append(b, '"'), name...), '"')
}
