// Package certs keeps the certificate that the server shows to browsers.
//
// It comes from two files, which are read again when they change, or from an ACME server (RFC 8555), which is asked for the next one in good time.
// A [Keeper] hands the newest good one to every new handshake: nothing is restarted, no open connection is touched, and what is broken replaces nothing.
package certs
