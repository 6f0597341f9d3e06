// Package assertion says who a user is in a form that an upstream can verify: a signed JWT that lives for a moment (RFC 7519).
//
// An upstream that takes a user's name from a plain header believes whoever reaches it. One that takes it from an assertion believes the signature, and asks nobody but for the
// public keys, now and then. It checks iss (the public URL), aud (itself) and exp, as of any token; sub together with idp is who the user is.
//
// Keys are configured, not made: every replica has the same. The first signs, all are published; to rotate, add the new one behind, wait until caches have it, put it
// first, and take the old one out when nothing that it signed is valid any more.
//
// An assertion is a credential: it goes to its one upstream and nowhere else, never to a browser, never into a log.
package assertion
