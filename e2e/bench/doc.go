// Command bench measures what Cloakroom costs (docs/performance.md). Its parts:
//
//	bare      the CPU time (user and system) that a signed-in proxied request costs Cloakroom's process, beside the same request through a
//	          bare httputil.ReverseProxy with the same upstream, and Redis commands per request. The bare proxy comes in two: as it is, and
//	          with a BufferPool, which is the harder one to be measured beside
//	sessions  the same with a thousand sessions in Redis and with many
//	routes    the same with one route and with a thousand
//	rules     the CPU time and latency that roles, expressions and limits add to a request. It is an error if roles and an expression take 2 µs or more than three
//	          allocations, or a request's limits more than one Redis command and one wait
//	manyrules the time and memory that a thousand routes with rules take, and the CPU time of a reload of them
//	compose   the CPU time of a composed answer, beside its parts one by one. It is an error if it is not less
//	memory    the heap that a copied session takes, beside what is counted of it
//	start     the time from the start of the process to its first answers
//	reload    the CPU time of a reload, the time until it holds, and the latency of requests without reloads and beside fifty. They come at a steady rate, however
//	          late the answers are, and each is held against what either configuration allows: fewer than a thousand a second is an error, and so is a
//	          wrong one (AUZ-07)
//
// Requests come over 64 keep-alive connections, the answer is a small JSON document, the log is switched on and written to a file.
// Sides that are compared take turns, so that what else the machine does hits all; a round's ratio is one sample, the median of
// all rounds is the result, and the spread says what it is worth.
//
//	go run ./e2e/bench [-only bare,start] [-pairs 12] [-requests 20000] [-sessions 1000000] [-against path/to/another/cloakroom]
//
// Load generator and upstream are this same program in processes of their own, chosen by the first argument.
package main
