package policy

import (
	"sync"

	"cel.dev/cel-go/cel"
)

// Attribute is one word of the vocabulary of expressions.
type Attribute struct {
	// Name is as in an expression, Type what CEL calls its type.
	Name, Type string
	// Text says what it is, and when it is missing.
	Text string

	cel *cel.Type
}

// The names that more than the table needs.
const (
	resourceName = "resource"
	claimsName   = "user.claims"
	valuesName   = "request.values"
	queryName    = "request.query"
	headersName  = "request.headers"
)

// Vocabulary is all that an expression can ask about, in the order of the manual.
func Vocabulary() []Attribute {
	texts, words := cel.ListType(cel.StringType), cel.MapType(cel.StringType, cel.StringType)
	object := cel.MapType(cel.StringType, cel.DynType)
	list := []Attribute{
		{Name: "user.sub", cel: cel.StringType, Text: "the user's `sub`, or the caller's name. Unique together with user.issuer only"},
		{Name: "user.issuer", cel: cel.StringType, Text: "who says so; missing for callers that have no issuer, such as API keys"},
		{Name: "user.provider", cel: cel.StringType, Text: "the name of the provider that the user signed in with; missing for callers without a session"},
		{Name: "user.kind", cel: cel.StringType, Text: "session, api_key, basic, bearer or certificate"},
		{Name: "user.roles", cel: texts, Text: "effective roles: mapped, and with those that they include. May be empty"},
		{Name: "user.scopes", cel: texts, Text: "what was granted. May be empty"},
		{Name: claimsName, cel: object, Text: "the claims that the provider's `claims` names. Numbers are doubles; whole ones beyond 2^53 are missing, because no double is them"},
		{Name: "session.auth_time", cel: cel.TimestampType, Text: "when the user last proved who they are; missing where the provider does not say"},
		{Name: "session.acr", cel: cel.StringType, Text: "how they did; missing where the provider does not say"},
		{Name: "session.created", cel: cel.TimestampType, Text: "when the session began; missing for callers without one"},
		{Name: "request.method", cel: cel.StringType, Text: "GET also for HEAD; missing for a method with small letters"},
		{Name: "request.path", cel: cel.StringType, Text: "decoded and canonical, as /api/documents/7"},
		{Name: "request.route", cel: cel.StringType, Text: "the route's pattern, as /api/documents/{id}"},
		{Name: valuesName, cel: words, Text: "what the names in the pattern stand for: request.values.id"},
		{Name: queryName, cel: words, Text: "the query's parameters, decoded. One that comes twice, in two spellings or as name[…] beside name, has no value"},
		{Name: headersName, cel: words, Text: "the headers that the client sent, in any letter case: request.headers[\"x-tenant\"]. One that comes twice has no value; those with credentials have none at all"},
		{Name: "request.client_ip", cel: cel.StringType, Text: "the client's address, as far as trusted proxies tell; see within()"},
		{Name: resourceName, cel: object, Text: "the JSON object that the route's `resource` looks up. Numbers as in user.claims, but whole ones are exact up to 2^63"},
		{Name: "now", cel: cel.TimestampType, Text: "the time of the request"},
		{Name: "now.date", cel: cel.StringType, Text: "its day in policy.time_zone, as 2026-11-23"},
		{Name: "now.hour", cel: cel.IntType, Text: "its hour there, 0 to 23"},
		{Name: "now.minute", cel: cel.IntType, Text: "its minute there, 0 to 59"},
		{Name: "now.weekday", cel: cel.IntType, Text: "its weekday there, 0 to 6; 0 is Sunday"},
	}
	for i := range list {
		list[i].Type = list[i].cel.String()
	}
	return list
}

// Bounds of an expression, and of what it works on.
const (
	maxExpression = 4096   // characters
	maxDepth      = 50     // of parentheses and operators
	maxRegexp     = 1000   // instructions
	maxCost       = 50_000 // in CEL's units, some 50 ns each
	maxText       = 8 << 10
	maxNames      = 1024
	maxParams     = 256
)

// environment is what expressions are compiled in. It does not depend on the configuration and never changes.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.DefaultUTCTimeZone(true), cel.CrossTypeNumericComparisons(true),
		cel.ParserRecursionLimit(maxDepth), cel.ParserExpressionSizeLimit(maxExpression), cel.RegexProgramSizeLimit(maxRegexp),
		cel.ASTValidators(cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals(),
			cel.ValidateHomogeneousAggregateLiterals(), cel.ValidateComprehensionNestingLimit(2)),
		withinFunction(),
	}
	for _, a := range Vocabulary() {
		options = append(options, cel.Variable(a.Name, a.cel))
	}
	return cel.NewEnv(options...)
})
