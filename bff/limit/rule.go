package limit

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// rule is one limit as it is counted.
type rule struct {
	name       string // in header fields and metrics
	per        string
	outage     string
	report     bool // ReportOnly
	hidden     bool // whose numbers are nobody's business
	concurrent int  // or else
	rate       Rate
	quota      quota
	part       quota  // of this process alone
	tag        string // what is counted in one slot
	what       string // which of the limits with this tag
	own        id     // hash of both
	key        string // in the store, but for what is counted
	args       [3]any // for the script
}

// resolve looks a shared limit up, and compiles it.
func (l *Limiter) resolve(one Limit, tag string) (rule, error) {
	if one.Shared == "" {
		return l.compile(one, "", tagOf("route", tag))
	}
	shared, ok := l.cfg.Shared[one.Shared]
	if !ok {
		return rule{}, fmt.Errorf("%q is none of limits.shared", one.Shared)
	}
	return l.compile(shared, one.Shared, "shared-"+one.Shared)
}

// tagOf hashes a name that may have any characters, braces among them.
func tagOf(kind, name string) string {
	sum := sha256.Sum256([]byte(name))
	return kind + "-" + base64.RawURLEncoding.EncodeToString(sum[:9])
}

// compile makes a rule of a limit that stands for itself. Without a name it is called after what it counts.
func (l *Limiter) compile(one Limit, name, tag string) (rule, error) {
	var problem error
	one.Validate(func(key, text string) { problem = errors.Join(problem, fmt.Errorf("%s: %s", key, text)) })
	if problem != nil {
		return rule{}, problem
	}
	r := rule{
		name: name, per: either(one.Per, perUser), outage: either(one.Outage, outageLocal), report: one.ReportOnly,
		concurrent: one.Concurrent, tag: tag,
	}
	r.hidden = r.per == perRoute // how much a whole route takes is the operator's to know
	r.what = r.per + "-concurrent"
	if name == "" {
		r.name = r.per
	}
	if one.Concurrent > 0 && name == "" {
		r.name = r.what
	}
	if one.Concurrent == 0 {
		l.quotas(&r, one)
	}
	r.own = ownOf(tag, r.what)
	r.key = l.deps.Prefix + ":r:{" + tag + "}:" + r.what + ":"
	return r, nil
}

// quotas fills in how much a rule with a rate lets through.
func (l *Limiter) quotas(r *rule, one Limit) {
	r.rate, _ = ParseRate(one.Rate) // Validate has
	_, span, _ := strings.Cut(r.rate.String(), "/")
	r.what = r.per + "-" + span
	r.quota = quotaOf(r.rate, one.Burst)
	r.part = r.quota
	if l.deps.Run != nil {
		r.part = r.quota.part(max(1, l.cfg.Replicas))
	}
	enforced := 1
	if r.report {
		enforced = 0
	}
	r.args = [3]any{r.quota.interval, r.quota.capacity, enforced}
}

func ownOf(tag, what string) id {
	sum := sha256.Sum256([]byte(tag + ":" + what))
	return id(sum[:16])
}

// String is the rule in words.
func (r rule) String() string {
	text := fmt.Sprintf("%s: %d at a time per %s", r.name, r.concurrent, r.per)
	if r.concurrent == 0 {
		text = fmt.Sprintf("%s: %s per %s, %d at once", r.name, r.rate, r.per, r.quota.burst())
	}
	if r.report {
		text += ", report only"
	}
	return text
}

func either(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
