// Package browse is a browser as far as sign-in is concerned: it keeps cookies by host without regard to ports, obeys
// Secure, HttpOnly prefixes and SameSite, sends fetch metadata, follows redirects and meta refreshes, and withholds Strict
// cookies from navigations that another site had a part in.
//
// A Witness sees every answer, checks what holds for all of them and hands them to the scanner.
package browse
