package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // an image without /usr/share/zoneinfo knows the zones too

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// usage is what an expression asks about.
type usage struct {
	// user is anything of user or session, resource anything of the resource.
	user, resource bool
	// values, headers and claims are the names that stand in it as they are.
	values, headers, claims []string
}

// inspect walks through an expression and refuses what CEL would find out at run time only, as an error at each request.
func inspect(checked *cel.Ast) (usage, error) {
	var u usage
	var problems []error
	tree := checked.NativeRep()
	for _, node := range ast.MatchDescendants(ast.NavigateAST(tree), ast.AllMatcher()) {
		var err error
		switch node.Kind() {
		case ast.IdentKind:
			err = u.ident(node)
		case ast.CallKind:
			err = u.call(node)
		}
		if err != nil {
			at := tree.SourceInfo().GetStartLocation(node.ID())
			problems = append(problems, fmt.Errorf("%w (line %d, column %d)", err, at.Line(), at.Column()+1))
		}
	}
	return u, errors.Join(problems...)
}

// ident notes an attribute.
func (u *usage) ident(node ast.NavigableExpr) error {
	name := strings.TrimPrefix(node.AsIdent(), ".")
	switch {
	case name == resourceName:
		u.resource = true
	case strings.HasPrefix(name, "user."), strings.HasPrefix(name, "session."):
		u.user = true
	}
	switch name {
	case valuesName:
		return u.named(node, name, &u.values)
	case queryName:
		return u.named(node, name, new([]string))
	case headersName:
		return u.named(node, name, &u.headers)
	case claimsName:
		if key, ok := asked(node); ok && key != "" && !slices.Contains(u.claims, key) {
			u.claims = append(u.claims, key)
		}
	}
	return nil
}

// named notes a name that is asked for, and refuses all other ways to use a lookup.
func (u *usage) named(node ast.NavigableExpr, name string, names *[]string) error {
	key, ok := asked(node)
	if !ok {
		return fmt.Errorf("%s can only be asked for one name, as in %s[\"x\"] or \"x\" in %s", name, name, name)
	}
	if key != "" && !slices.Contains(*names, key) {
		*names = append(*names, key)
	}
	if _, hidden := hiddenHeaders()[textproto.CanonicalMIMEHeaderKey(key)]; hidden && name == headersName {
		return fmt.Errorf("header %s is for credentials, which rules do not see", key)
	}
	return nil
}

// asked is the name that a map is asked for: m.name, m["name"], has(m.name) or "name" in m. ok is whether it is one of these; the
// name is empty if it comes out at run time only.
func asked(node ast.NavigableExpr) (name string, ok bool) {
	parent, ok := node.Parent()
	if !ok {
		return "", false
	}
	if parent.Kind() == ast.SelectKind {
		return parent.AsSelect().FieldName(), true
	}
	if parent.Kind() != ast.CallKind {
		return "", false
	}
	call := parent.AsCall()
	args := call.Args()
	switch {
	case call.FunctionName() == operators.Index && args[0].ID() == node.ID():
		return literal(args[1]), true
	case call.FunctionName() == operators.In && args[1].ID() == node.ID():
		return literal(args[0]), true
	}
	return "", false
}

// literal is a string that stands in the expression as it is, or empty.
func literal(e ast.Expr) string {
	if e.Kind() != ast.LiteralKind {
		return ""
	}
	s, _ := e.AsLiteral().(types.String)
	return string(s)
}

// zoned are the functions that take a time zone.
var zoned = []string{
	"getFullYear", "getMonth", "getDayOfYear", "getDayOfMonth", "getDate", "getDayOfWeek", "getHours", "getMinutes", "getSeconds", "getMilliseconds",
}

// call refuses arguments that must be known at start.
func (u *usage) call(node ast.NavigableExpr) error {
	call := node.AsCall()
	name, args := call.FunctionName(), call.Args()
	switch {
	case name == "matches":
		if args[len(args)-1].Kind() != ast.LiteralKind {
			return errors.New("the pattern of matches() must stand there as it is: nobody can check one that a request brings")
		}
	case name == within:
		if _, err := netip.ParsePrefix(literal(args[1])); err != nil {
			return errors.New("within() wants a network as its second argument, such as \"10.0.0.0/8\"")
		}
	case slices.Contains(zoned, name) && len(args) == 1:
		return checkZone(literal(args[0]))
	}
	return nil
}

// checkZone says why a zone would be an error at run time. CEL takes offsets too, such as +05:30.
func checkZone(zone string) error {
	if zone == "" {
		return errors.New("a time zone must stand there as it is, such as \"Europe/Berlin\"; or use now.hour, now.weekday and policy.time_zone")
	}
	if strings.Contains(zone, ":") {
		if _, err := time.Parse("-07:00", strings.Replace("+"+zone, "+-", "-", 1)); err == nil {
			return nil
		}
		if _, err := time.Parse("-07:00", zone); err == nil {
			return nil
		}
		return fmt.Errorf("%q is no offset; write one such as \"+05:30\"", zone)
	}
	_, err := loadZone(zone)
	return err
}

// loadZone is a zone of the IANA database. "Local" is that of some machine.
func loadZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" || name == "" {
		return nil, fmt.Errorf("%q is no time zone; write one of the IANA database, such as Europe/Berlin or UTC", name)
	}
	return zone, nil
}
