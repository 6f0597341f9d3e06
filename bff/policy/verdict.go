package policy

// Verdict is whether a request may go on, and why not. The zero value refuses.
type Verdict struct {
	// Allow is whether it may.
	Allow bool
	// Rule is what refused: the name of a rule, or the key of the route's own (`roles`, `when`, …). Empty if nothing did.
	Rule string
	// Reason is one of the constants below. For the log and the metrics; the client is told no more than that it is refused (AUZ-06).
	Reason string
	// StepUp is the sign-in that would help; nil if none would.
	StepUp *StepUp
	// Unavailable is that nobody knows, because something could not be asked: 503, not 403.
	Unavailable bool
	// DecisionID is the agent's name for its decision, if it gave one; several are separated by commas.
	DecisionID string
	// Err is the cause, for the log; nil if there is none. It never has a credential in it, but may name attributes.
	Err error
	// Reports are the verdicts of report-only rules that would have refused.
	Reports []Verdict
}

// The reasons of a Verdict. They are stable: metrics and alerts are keyed by them.
const (
	// ReasonNobody is a rule about the user where there is none.
	ReasonNobody = "nobody"
	// ReasonRole is that the user has none of the roles.
	ReasonRole = "role_missing"
	// ReasonScope is that a scope is missing.
	ReasonScope = "scope_missing"
	// ReasonWhen is an expression that is false.
	ReasonWhen = "when_false"
	// ReasonWhenError is an expression without a value: an attribute is missing, comes twice, or is of another type.
	ReasonWhenError = "when_error"
	// ReasonWhenCost is an expression that would have taken too long.
	ReasonWhenCost = "when_cost"
	// ReasonACR is a sign-in of another kind than the rule asks for.
	ReasonACR = "acr_insufficient"
	// ReasonAuthAge is a sign-in that is too long ago, or nobody knows when it was.
	ReasonAuthAge = "auth_too_old"
	// ReasonResource is that the resource is not there, or not for this user.
	ReasonResource = "resource_missing"
	// ReasonResourceUnavailable is that the resource could not be looked up.
	ReasonResourceUnavailable = "resource_unavailable"
	// ReasonOPA is an agent's no.
	ReasonOPA = "opa_denied"
	// ReasonOPAUndefined is an agent that has no such decision: a misspelt path, or a policy without a default.
	ReasonOPAUndefined = "opa_undefined"
	// ReasonOPAUnclear is a decision that is neither true nor false.
	ReasonOPAUnclear = "opa_unclear"
	// ReasonOPAUnavailable is an agent that did not answer in time, or not as agents do.
	ReasonOPAUnavailable = "opa_unavailable"
	// ReasonRequest is a query that servers read in different ways, or a header that stays here: an agent would judge another request than the upstream gets.
	ReasonRequest = "request_unclear"
	// ReasonNoPolicy is a mistake in this program: there is no policy to decide by.
	ReasonNoPolicy = "no_policy"
)

// Reasons are all of them, sorted.
func Reasons() []string {
	return []string{
		ReasonACR, ReasonAuthAge, ReasonNoPolicy, ReasonNobody, ReasonOPA, ReasonOPAUnavailable, ReasonOPAUnclear, ReasonOPAUndefined,
		ReasonRequest, ReasonResource, ReasonResourceUnavailable, ReasonRole, ReasonScope, ReasonWhenCost, ReasonWhenError, ReasonWhen,
	}
}
