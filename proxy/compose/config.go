package compose

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/units"

	"cloakroom/configs/secret"
	"cloakroom/proxy/tokens"
)

// Config is the keys of a route that make it a composed one.
type Config struct {
	// Legs are the parts that the answer is composed of, by a name of your choice. All are asked for with GET, at the same time; a route
	// with them takes GET and HEAD, and has no `upstream`. At most 16.
	Legs map[string]Leg `yaml:"compose" default:"{}"`
	// Shape is what the client gets of the legs, in jq: `{name: .me.name, recent: [.orders.items[]? | {id, total}]}`. A leg that failed is null; $path, $query
	// and $user are the route's path values, the declared query parameters, and what /bff/user shows. Empty: every leg under its name.
	Shape string `yaml:"shape" default:""`
	// Shapes are several shapes by a name of your choice, such as web and mobile, in place of `shape`. At most 16.
	Shapes map[string]string `yaml:"shapes" default:"{}"`
	// ShapeBy is how a request chooses among `shapes`.
	ShapeBy ShapeBy `yaml:"shape_by"`
}

// ShapeBy is how a request chooses among several shapes.
type ShapeBy struct {
	// Header names the request header whose value is a shape's name.
	Header string `yaml:"header" default:""`
	// Query names the query parameter whose value is a shape's name. It wins against the header.
	Query string `yaml:"query" default:""`
	// Default is the shape of requests that name none. A name that is no shape's is answered 400.
	Default string `yaml:"default" default:""`
}

// Leg is one part of a composed answer.
type Leg struct {
	// URL is what is asked for: an upstream's URL with its path, and perhaps a query. {id} stands for the path value that the route's `path` has under that
	// name: as a whole segment, or as a whole value in the query.
	URL string `yaml:"url" default:"" example:"http://users:9002/me"`
	// Upstream names one of `upstreams`, in place of `url`.
	Upstream string `yaml:"upstream" default:""`
	// Path is what is asked of `upstream`, written like the end of `url`.
	Path string `yaml:"path" default:"" example:"/customers/{id}?fields=name"`
	// Query names the parameters of the client's query that go on to this leg, where the request has them. All others stay here; one that comes twice is answered 400.
	Query []string `yaml:"query" default:"[]"`
	// Optional lets the answer go out without this leg: it is null then, and named in X-Cloakroom-Partial.
	Optional bool `yaml:"optional" default:"false"`
	// Timeout is how long the leg may take until the end of its answer. Between 1ms and 1m.
	Timeout time.Duration `yaml:"timeout" default:"10s"`
	// MaxBody is the largest answer that is taken of it. Between 1B and 16MiB.
	MaxBody units.Base2Bytes `yaml:"max_body" default:"1MiB"`
	// Token is which access token the leg's upstream gets, written like a route's. Where nothing is said it is the route's.
	Token tokens.Config `yaml:"token" short:"method"`
	// Headers are sent along, beside those that every upstream gets.
	Headers map[string]secret.String `yaml:"headers" default:"{}"`
}

const (
	maxLegs   = 16
	maxShapes = 16
	// maxShape bounds a shape's text, in bytes. Growth without loops is bounded by it, see allowed.go.
	maxShape = 8 << 10
)

// legName is what names a leg: .name in jq, and a token in a structured header field (RFC 9651).
var legName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,31}$`)

// shapeName is what a client may have to write into a URL.
var shapeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$`)

// parameter is the name of a query parameter that may go on.
var parameter = regexp.MustCompile(`^[A-Za-z0-9_.\[\]$-]{1,64}$`)

// headerName is a name in a request's header that every server reads in the same way.
var headerName = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// headerValue is visible ASCII and spaces between.
var headerValue = regexp.MustCompile(`^[!-~]([ -~]*[!-~])?$`)

// On reports whether the route is a composed one.
func (c Config) On() bool { return len(c.Legs) > 0 }

// Validate reports what is wrong with c, key by key, but for the legs, which have a Validate of their own. pathNames are the names
// of the wildcards in the route's path; one that ends in dots takes several segments.
func (c Config) Validate(pathNames []string, report func(key, problem string)) {
	if !c.On() {
		c.refuseAlone(report)
		return
	}
	if len(c.Legs) > maxLegs {
		report("compose", fmt.Sprintf("has %d legs; at most %d are asked for at the same time", len(c.Legs), maxLegs))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Legs)) {
		key := "compose." + name
		if !legName.MatchString(name) {
			report(key, "is no name for a leg; use up to 32 letters, digits and _, a letter first, so that jq takes it after a dot")
		}
		leg := c.Legs[name]
		if leg.problem() != "" {
			continue // Leg.Validate says so
		}
		a, _ := leg.address()
		for _, value := range a.values() {
			if !slices.Contains(pathNames, value) {
				report(key+"."+leg.key(), fmt.Sprintf("has {%s}, which the route's path does not have", value))
			}
		}
	}
	c.validateShapes(report)
}

// refuseAlone reports keys that mean nothing without legs.
func (c Config) refuseAlone(report func(key, problem string)) {
	for key, given := range map[string]bool{"shape": c.Shape != "", "shapes": len(c.Shapes) > 0, "shape_by": c.ShapeBy != ShapeBy{}} {
		if given {
			report(key, "needs compose, which says what there is to shape")
		}
	}
}

func (c Config) validateShapes(report func(key, problem string)) {
	if c.Shape != "" && len(c.Shapes) > 0 {
		report("shapes", "stands beside shape; write that as one of shapes, and name it in shape_by.default")
	}
	if len(c.Shapes) > maxShapes {
		report("shapes", fmt.Sprintf("has %d shapes; at most %d", len(c.Shapes), maxShapes))
	}
	if c.Shape != "" {
		if _, problem := newShape(c.Shape); problem != "" {
			report("shape", problem)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Shapes)) {
		if !shapeName.MatchString(name) {
			report("shapes."+name, "is no name for a shape; use up to 32 letters, digits, - and _")
		}
		if _, problem := newShape(c.Shapes[name]); problem != "" {
			report("shapes."+name, problem)
		}
	}
	c.validateShapeBy(report)
}

func (c Config) validateShapeBy(report func(key, problem string)) {
	by := c.ShapeBy
	_, known := c.Shapes[by.Default]
	names := strings.Join(slices.Sorted(maps.Keys(c.Shapes)), ", ")
	switch {
	case len(c.Shapes) == 0 && by != ShapeBy{}:
		report("shape_by", "needs shapes, among which it chooses")
	case len(c.Shapes) > 0 && by.Header == "" && by.Query == "":
		report("shape_by", "must name a header or a query parameter by which requests choose among shapes")
	case len(c.Shapes) > 0 && by.Default == "":
		report("shape_by.default", "is missing; name the shape of requests that choose none: "+names)
	case len(c.Shapes) > 0 && !known:
		report("shape_by.default", fmt.Sprintf("%q is none of shapes; name one of %s", by.Default, names))
	}
	if by.Header != "" && !headerName.MatchString(by.Header) {
		report("shape_by.header", fmt.Sprintf("%q is no header name; use letters, digits and hyphens", by.Header))
	}
	if by.Query != "" && !parameter.MatchString(by.Query) {
		report("shape_by.query", fmt.Sprintf("%q is no name of a parameter; use letters, digits and _ . - $ [ ]", by.Query))
	}
}

// Validate reports what is wrong with a leg, key by key.
func (l Leg) Validate(report func(key, problem string)) {
	if problem := l.problem(); problem != "" {
		report(l.key(), problem)
	}
	for i, name := range l.Query {
		key := fmt.Sprintf("query[%d]", i)
		switch {
		case !parameter.MatchString(name):
			report(key, fmt.Sprintf("%q is no name of a parameter; use letters, digits and _ . - $ [ ]", name))
		case slices.Index(l.Query, name) < i:
			report(key, fmt.Sprintf("%q is there twice", name))
		case l.fixes(name):
			report(key, fmt.Sprintf("%q has its value in %s already; keep one of them", name, l.key()))
		}
	}
	if l.Timeout < time.Millisecond || l.Timeout > time.Minute {
		report("timeout", fmt.Sprintf("%v is not between 1ms and 1m", l.Timeout))
	}
	if l.MaxBody < 1 || l.MaxBody > 16*units.MiB {
		report("max_body", fmt.Sprintf("%v is not between 1B and 16MiB", l.MaxBody))
	}
	for _, name := range slices.Sorted(maps.Keys(l.Headers)) {
		switch {
		case !headerName.MatchString(name):
			report("headers."+name, "is no header name; use letters, digits and hyphens")
		case !headerValue.MatchString(string(l.Headers[name])):
			report("headers."+name, "has a value that cannot be sent: visible ASCII, without spaces at its ends")
		}
	}
}
