// Package edge holds what is true of any request, whatever it asks for: it has an ID and one log
// record, comes from an address, names our host, has one canonical path, gets our security headers,
// and every error becomes the same kind of answer.
//
// The parts are middleware, put together by [Chain]. Their order matters:
//
//	edge.Chain(routes,
//		edge.RequestID(),              // first: makes the Record that all others fill
//		edge.AccessLog(log, metrics),  // outside Recover: a panic is logged as its 500
//		edge.SecurityHeaders(origin),  // outside whatever may answer, so that every answer has them
//		edge.WithPages(csp, render),   // before whatever may answer with a page
//		edge.Recover(),
//		edge.CloseChunked(),           // before whatever may answer
//		edge.BodyTime(time.Minute),    // before whatever may answer without reading the body
//		edge.Methods(),                // CONNECT has neither a host nor a path to look at
//		edge.Host(origin),             // nothing is answered under a foreign name
//		edge.ClientIP(trusted),        // before whatever is keyed by address
//		edge.CanonicalPath(),          // before anything looks at the path
//	)
//
// # Errors
//
// Handlers return an error and [Handler] hands it to [Answer], the only place where an error becomes
// an answer: a problem document (RFC 9457) for scripts, a page for navigations. What a client may
// learn is in a [Problem]; what the log learns is in the Problem's Err. Each code stands once, in
// the catalog ([Catalog]), with its status, its title and an explanation.
//
// # Decisions
//
// [SameOrigin] (may this request use the session?), [Canonical] and [CanonicalQuery] (is there one
// way to read this target?) and [Client] (who is at the other end?) are pure functions that return
// a verdict and its reason. The reason goes to the log and the metrics, not to the browser.
//
// # Logs
//
// [AccessLog] writes one record per request, at its end. Security events are records of their own,
// written by [Event]; the event "refused" is written by AccessLog, once for each answer whose code
// the catalog marks as a refusal. Neither ever holds a query: states and codes travel there.
package edge
