// Package policy decides whether somebody may do something, and says why.
//
// # The rules
//
// A route's [Allow] and the named [Rule]s that it lists are compiled into a [Policy] at start, where every mistake is found: an unknown rule, a
// misspelt attribute, an expression that is not boolean. All that is given must hold. Nothing is guessed: roles, scopes and acr are compared letter by letter.
//
// # Two steps
//
// [Policy.Decide] is what memory can answer: roles, scopes, expressions, acr and max_auth_age. It does no I/O. [Policy.Ask] is the rest: expressions over the
// resource, and Open Policy Agents. Both return a [Verdict]. Its zero value refuses, and so does a nil Policy.
//
// A report-only rule is looked at when all that is enforced has passed; what it would refuse is in Verdict.Reports.
//
// # What refuses
//
// A missing attribute refuses, and an error does; what cannot be asked is Verdict.Unavailable, never a pass. In CEL, `||` and `&&` absorb errors:
// `user.claims.missing == "x" || true` is true. That is what its author wrote.
//
// # Who and what
//
// A [Subject] is built once for each copy of a session and shared by its requests; a [Request] is the request behind the edge, whose path has one reading. Values that a
// client can send twice (headers, query) have no value then, so that two readers cannot see different ones.
package policy
