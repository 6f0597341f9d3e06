// Package e2e holds the black-box tests: the built binary, a real Redis, a provider that we did not write and, in
// e2e/browser, a real browser. It imports nothing of the server; what it knows of it stands in the documentation.
//
// The parts come from e2e/stack (processes), e2e/browse (a browser's cookies and headers in Go), e2e/up (the upstream),
// e2e/op (the provider) and e2e/tokscan (the scanner). Each run ends with a scan of all that it saw for
// all the credentials that it knows, and with the rules that hold for every answer (browse.Check).
package e2e
