// Command bench measures, in one run, the CPU time (user and system) that a signed-in proxied request costs Cloakroom's process
// beside the same request through a bare httputil.ReverseProxy with the same upstream: 64 keep-alive connections,
// a small JSON answer, the log switched on and written to a file. It also counts Redis commands per request.
//
// The bare proxy comes in two: as it is, and with a BufferPool, which is the harder one to be measured beside.
//
// They take turns, so that what else the machine does hits all; a round's ratio is one sample, the median of
// all rounds is the result, and the spread says what it is worth.
//
//	go run ./e2e/bench [-pairs 12] [-requests 20000] [-connections 64]
//
// Load generator and upstream are this same program in processes of their own, chosen by the first argument.
package main
