package policy

import (
	"net/http"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// activation is one request as an expression sees it. Values are made when they are asked for: most expressions ask for two.
type activation struct {
	set      *Set
	u        *Subject
	r        *Request
	resource ref.Val
	local    time.Time
	params   *parameters

	values, query, headers lookup
}

// Parent is that nobody else knows more.
func (a *activation) Parent() cel.Activation { return nil }

// ResolveName is the value of an attribute, or false if it is missing, which refuses.
func (a *activation) ResolveName(name string) (any, bool) {
	switch {
	case strings.HasPrefix(name, "request."):
		return a.request(name)
	case strings.HasPrefix(name, "now"):
		return a.time(name)
	case name == resourceName:
		return a.resource, a.resource != nil
	case a.u != nil:
		return a.u.boxed.value(name)
	}
	return nil, false
}

// methods are those that need not be boxed anew. HEAD is GET: what may not be read may not be asked about (AUZ-02).
var methods = map[string]ref.Val{
	http.MethodGet: types.String(http.MethodGet), http.MethodHead: types.String(http.MethodGet), http.MethodPost: types.String(http.MethodPost),
	http.MethodPut: types.String(http.MethodPut), http.MethodPatch: types.String(http.MethodPatch), http.MethodDelete: types.String(http.MethodDelete),
	http.MethodOptions: types.String(http.MethodOptions),
}

func (a *activation) request(name string) (any, bool) {
	switch name {
	case "request.method":
		if v, ok := methods[a.r.HTTP.Method]; ok {
			return v, true
		}
		// A server behind that folds letters would take `delete` for DELETE; a rule that compares with DELETE would not.
		if m := a.r.HTTP.Method; m != "" && m == strings.ToUpper(m) {
			return types.String(m), true
		}
	case "request.path":
		return text(a.r.HTTP.URL.Path)
	case "request.route":
		return text(a.r.Route)
	case valuesName:
		a.values = lookup{a, (*activation).pathValue}
		return &a.values, true
	case queryName:
		a.query = lookup{a, (*activation).parameter}
		return &a.query, true
	case headersName:
		a.headers = lookup{a, (*activation).header}
		return &a.headers, true
	case "request.client_ip":
		if a.r.Client.IsValid() {
			return types.String(a.r.Client.Unmap().WithZone("").String()), true
		}
	}
	return nil, false
}

func (a *activation) time(name string) (any, bool) {
	if a.r.Now.IsZero() {
		return nil, false
	}
	if name == "now" {
		return types.Timestamp{Time: a.r.Now.UTC()}, true
	}
	if a.local.IsZero() {
		a.local = a.r.Now.In(a.set.zone)
	}
	switch name {
	case "now.hour":
		return types.Int(a.local.Hour()), true
	case "now.minute":
		return types.Int(a.local.Minute()), true
	case "now.weekday":
		return types.Int(a.local.Weekday()), true
	case "now.date":
		return types.String(a.local.Format(time.DateOnly)), true
	}
	return nil, false
}

// text is a value that is not empty. An empty one is missing: no rule shall find two users, both without something, alike.
func text(s string) (any, bool) {
	if s == "" {
		return nil, false
	}
	return types.String(s), true
}
