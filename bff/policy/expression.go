package policy

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
)

// errCost is an expression that was stopped because it would have taken too long.
var errCost = errors.New("expression costs too much")

// expression is a compiled `when`.
type expression struct {
	source  string
	program cel.Program
	usage
	// limited is that its cost has no small bound, so that it is counted while it runs, which costs something itself.
	limited bool
}

// parseExpression compiles source, or says what is wrong with it.
func parseExpression(source string) (*expression, error) {
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("set up CEL: %w", err)
	}
	ast, issues := env.Compile(source)
	if issues.Err() != nil {
		return nil, errors.New(explainIssues(source, issues))
	}
	if ast.OutputType() != cel.BoolType {
		return nil, fmt.Errorf("is %s, not true or false; compare it with something, as in `… == true`", ast.OutputType())
	}
	e := &expression{source: source}
	if e.usage, err = inspect(ast); err != nil {
		return nil, err
	}
	estimate, err := env.EstimateCost(ast, sizes{})
	if err != nil {
		return nil, fmt.Errorf("estimate its cost: %w", err)
	}
	if estimate.Min > maxCost {
		return nil, fmt.Errorf("costs at least %d, more than the %d that an expression may; split it, or ask an agent (opa)", estimate.Min, maxCost)
	}
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if e.limited = estimate.Max > maxCost || e.resource; e.limited { // nobody knows how large a resource is
		options = append(options, cel.CostLimit(maxCost))
	}
	if e.program, err = env.Program(ast, options...); err != nil {
		return nil, fmt.Errorf("cannot be evaluated: %w", err)
	}
	return e, nil
}

// eval is the expression's value for one request. No error has what the request, or the user, brought.
func (e *expression) eval(a *activation) (bool, error) {
	v, _, err := e.program.Eval(a)
	if err != nil {
		return false, e.harmless(err)
	}
	b, ok := v.(types.Bool)
	if !ok {
		return false, errors.New("the expression is neither true nor false")
	}
	return bool(b), nil
}

// harmless is err without values. CEL's errors quote what could not be converted, which may be anybody's; of names only those are repeated that stand in the expression.
func (e *expression) harmless(err error) error {
	if stopped, ok := errors.AsType[interpreter.EvalCancelledError](err); ok && stopped.Cause == interpreter.CostLimitExceeded {
		return errCost
	}
	if unclear, ok := errors.AsType[*unclearError](err); ok {
		return errors.New(strings.TrimSpace(e.own(unclear.name) + " " + unclear.problem))
	}
	text := err.Error()
	for _, known := range []string{"no such key: ", "no such attribute(s): "} {
		if name, ok := strings.CutPrefix(text, known); ok {
			return errors.New(known + e.own(name))
		}
	}
	for _, known := range []string{"no such overload", "division by zero", "modulus by zero", "index out of bounds", "unsupported type conversion"} {
		if strings.HasPrefix(text, known) {
			return errors.New(known)
		}
	}
	return errors.New("a value is not of the form that the expression needs")
}

// own is a name that stands in the expression.
func (e *expression) own(name string) string {
	if name == "" || strings.Contains(strings.ToLower(e.source), strings.ToLower(name)) {
		return name
	}
	return "a name that the request brought"
}

// sizes tell how large the attributes can be.
type sizes struct{}

// EstimateCallCost leaves calls to CEL.
func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}

// EstimateSize is the size of an attribute, or of what lies in it.
func (sizes) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	path := node.Path()
	if len(path) == 0 {
		return nil
	}
	names := path[0] == "user.roles" || path[0] == "user.scopes"
	switch {
	case names && len(path) == 1:
		return &cost.SizeEstimate{Max: maxNames}
	case names:
		return &cost.SizeEstimate{Max: 256}
	case path[0] == resourceName:
		return &cost.SizeEstimate{Max: maxResource}
	}
	return &cost.SizeEstimate{Max: maxText}
}
