// Package limit counts requests and says which are too many: per user, session, caller, address or route, over all replicas together.
//
// # How it counts
//
// Each limit with a rate is the generic cell rate algorithm: a point in time for each user (or whatever is counted) that each request moves ahead. In any span of
// time no more than burst plus rate come through. The points are in Redis, whose clock alone decides, and one script looks at all limits of a request: it
// counts against all or, if one refuses, against none. So a refused request costs nothing of any budget, and a request with five limits costs one command. A point
// lives until it is over, so that Redis holds only whoever came lately: of a limit of 3000/1m, for 20 ms after a single request.
//
//	<prefix>:r:{route-<hash of the route>}:user-1m:<hash of the user>
//	<prefix>:r:{shared-<name>}:user-1m:<hash of the user>
//	<prefix>:r:{fixed-login}:ip-1m:<hash of the address>
//
// What is in braces is the slot of a cluster. There a script touches one slot, so the limits that routes share are asked apart from the route's own, at the same time;
// a request that one of the two refuses may have counted in the other.
//
// A script whose answer is lost is not sent again: it would count twice. Whatever goes wrong errs on the strict side.
//
// Who has used a limit up is known to be refused until a certain moment. Each process remembers that, and asks again once a second at most: a flood costs Redis nothing.
//
// # What is counted
//
// A user is issuer and subject, hashed: a new session, cookie or token is no new user. An address is one of IPv4, however it is written (mapped,
// or embedded by a translator, RFC 6052), or a /64 of IPv6. Whoever is not signed in counts by credential, and without one by
// address, also where the limit is per user. Everything is hashed under the limit's own name: keys tell nothing, and neither subjects nor
// paths can be chosen to meet others' counts.
//
// # When Redis is away
//
// Each limit says what holds then: `local` counts in this process's memory, its part of rate and burst by Config.Replicas; `open` does not count; `closed` refuses, with [Verdict.Unavailable].
// Memory starts with nothing: in a span of time in which Redis goes away, both budgets are there to be used once. Memory is bounded; see remembered. Without a
// store ([Deps].Run is nil) memory is all there is, and has the whole of each limit.
//
// # At the same time
//
// A limit with `concurrent` counts requests under way in this process: three replicas let three times as many through. It is for what one request costs while it lasts, which is
// memory and connections of one process. A place is given back by the function that [Set.Take] returns, and by nothing else.
package limit
