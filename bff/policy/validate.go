package policy

import (
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// terms are the keys of Terms, which also name a route's own rules.
var terms = []string{string(termRoles), string(termScopes), string(termWhen), string(termOPA), string(termACR), string(termAuthAge)}

// ruleName is what may name a rule: it stands in logs and is a metric's label.
var ruleName = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?$`)

// Validate reports what is wrong with c.
func (c Config) Validate(report func(key, problem string)) {
	if c.TimeZone != "" { // left out where a Config is made without a file; then it is UTC
		if _, err := loadZone(c.TimeZone); err != nil {
			report("time_zone", err.Error())
		}
	}
	for key, table := range map[string]map[string][]string{"map_roles": c.MapRoles, "inherit_roles": c.InheritRoles} {
		for _, name := range slices.Sorted(maps.Keys(table)) {
			checkNames(table[name], key+"."+name, "role", report)
			if problem := badName(name); problem != "" {
				report(key+"."+name, problem)
			}
		}
	}
	told := map[string]bool{}
	for _, role := range slices.Sorted(maps.Keys(c.InheritRoles)) {
		way := cycle(c.InheritRoles, role)
		if way == "" || told[role] {
			continue
		}
		for r := range strings.SplitSeq(way, " → ") {
			told[r] = true
		}
		report("inherit_roles."+role, fmt.Sprintf("goes round in a circle: %s; each would be all of them. Take one step out", way))
	}
}

// CheckRules reports what is wrong with the names of rules. What is wrong with the rules themselves, Rule.Validate reports.
func CheckRules(rules map[string]Rule, report func(key, problem string)) {
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		switch {
		case !ruleName.MatchString(name):
			report(name, "is no name for a rule; use up to 64 of a-z, 0-9, - and _")
		case slices.Contains(terms, name):
			report(name, "is what a route's own rule is called; take another name")
		}
	}
}

// Validate reports what is wrong with r, but for what is below opa, which reports itself.
func (r Rule) Validate(report func(key, problem string)) {
	if len(r.given()) == 0 {
		report("roles", "is missing, and so is all else that the rule could ask for: it would let everybody pass. Give it one of "+strings.Join(terms, ", "))
	}
	r.check(parseExpression, report)
}

// Validate reports what is wrong with a by itself, but for what is below opa, which reports itself. Check does the rest.
func (a Allow) Validate(report func(key, problem string)) {
	a.validate(parseExpression, report)
}

func (a Allow) validate(parse parser, report func(key, problem string)) {
	a.check(parse, report)
	checkNames(a.Rules, "rules", "rule", report)
	checkNames(a.ReportOnly, "report_only", "rule", report)
}

// given are the terms that are there.
func (t Terms) given() (out []term) {
	for term, there := range map[term]bool{
		termRoles: len(t.Roles) > 0, termScopes: len(t.Scopes) > 0, termWhen: t.When != "", termOPA: t.OPA.URL != "", termACR: len(t.ACR) > 0, termAuthAge: t.MaxAuthAge != 0,
	} {
		if there {
			out = append(out, term)
		}
	}
	return out
}

// parser compiles an expression.
type parser func(source string) (*expression, error)

func (t Terms) check(parse parser, report func(key, problem string)) {
	checkNames(t.Roles, "roles", "role", report)
	checkNames(t.Scopes, "scopes", "scope", report)
	checkNames(t.ACR, "acr", "value", report)
	for i, s := range t.Scopes {
		if strings.ContainsFunc(s, notWord) {
			report(fmt.Sprintf("scopes[%d]", i), fmt.Sprintf("%q is no scope; several are several items of the list", s))
		}
	}
	for i, s := range t.ACR {
		if strings.ContainsFunc(s, notWord) {
			report(fmt.Sprintf("acr[%d]", i), fmt.Sprintf("%q is no acr; it has no spaces, quotes or backslashes, and several are several items of the list", s))
		}
	}
	if t.When != "" {
		if _, err := parse(t.When); err != nil {
			report("when", strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}
	if t.MaxAuthAge != 0 && (t.MaxAuthAge < time.Minute || t.MaxAuthAge > 720*time.Hour) {
		report("max_auth_age", fmt.Sprintf("%v is not between 1m and 720h; leave it out for no limit", t.MaxAuthAge))
	}
}

// checkNames reports empty and repeated names.
func checkNames(names []string, key, what string, report func(key, problem string)) {
	for i, name := range names {
		at := fmt.Sprintf("%s[%d]", key, i)
		switch {
		case badName(name) != "":
			report(at, badName(name))
		case slices.Index(names, name) < i:
			report(at, fmt.Sprintf("%s %q is there twice", what, name))
		}
	}
}

func badName(name string) string {
	switch {
	case name == "":
		return "is empty"
	case strings.TrimSpace(name) != name:
		return fmt.Sprintf("%q begins or ends with a space; names are compared letter by letter", name)
	case len(name) > 256:
		return "is longer than 256 bytes"
	}
	return ""
}

// notWord tells what cannot stand in a scope (RFC 6749, section 3.3), nor in one of several acr values.
func notWord(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }

// Validate reports what is wrong with c.
func (c OPAConfig) Validate(report func(key, problem string)) {
	if c.URL == "" {
		if c.Token != "" || len(c.Headers) > 0 {
			report("url", "is missing; write where the decision is, such as http://localhost:8181/v1/data/orders/allow")
		}
		return
	}
	if problem := badAgent(c.URL); problem != "" {
		report("url", problem)
	}
	if c.Timeout < 10*time.Millisecond || c.Timeout > 10*time.Second {
		report("timeout", fmt.Sprintf("%v is not between 10ms and 10s", c.Timeout))
	}
	if c.Cache > time.Minute {
		report("cache", fmt.Sprintf("%v is more than 1m, for which a change of the policy would not be seen", c.Cache))
	}
	if strings.ContainsFunc(c.Token.Reveal(), notWord) {
		report("token", "has a line break, a space or another character that no bearer token has")
	}
	checkNames(c.Headers, "headers", "header", report)
	for i, name := range c.Headers {
		if problem := badHeader(name, hiddenHeaders()); problem != "" {
			report(fmt.Sprintf("headers[%d]", i), problem)
		}
	}
}

// badAgent says why text is no place of a decision.
func badAgent(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return "is no URL of an agent; write one such as http://localhost:8181/v1/data/orders/allow"
	case u.User != nil:
		return "has a user name or password in it, which would stand in logs; use token"
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return "has a query or a fragment, which a decision's place has not"
	case !strings.HasPrefix(u.Path, "/v1/data/") || len(u.Path) == len("/v1/data/"):
		return "is not below /v1/data/: write the data API's URL of one decision, such as http://localhost:8181/v1/data/orders/allow"
	}
	return ""
}

// badHeader says why an agent is not told a header.
func badHeader(name string, hidden map[string]struct{}) string {
	canonical := textproto.CanonicalMIMEHeaderKey(name)
	if _, ok := hidden[canonical]; ok {
		return fmt.Sprintf("%s is for credentials, and agents write what they are told into their logs", canonical)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return notWord(r) || strings.ContainsRune("(),/:;<=>?@[]{}", r) }) {
		return fmt.Sprintf("%q is no name of a header", name)
	}
	if canonical == http.CanonicalHeaderKey("Set-Cookie") {
		return "Set-Cookie is no header of requests"
	}
	return ""
}
