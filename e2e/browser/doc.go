// Package browser is the run in a real browser: Debian's Chromium, driven by playwright-core, goes through a Vite-built
// React app behind the built binary, through Vite's development server behind it, and through the demo.
//
// The stories are the *.test.mjs files; the Go test starts the parts, runs them with node's own test runner, and
// gives what the browser was sent, showed and stored to the scanner. Pictures are left in a temporary folder
// that the output names, or in CLOAKROOM_PICTURES.
package browser
