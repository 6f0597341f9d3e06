// Package ca has what certificates are tested with: an authority of the tests' own, and Pebble, the ACME server that Let's Encrypt
// tests its clients with, as a process on loopback.
package ca
