// Package memory keeps sessions in one process: for development, the demo, and installations of one replica that may
// sign everybody out when they restart.
//
// It follows the rules of package session to the letter, as the Redis store does: both pass the same suite. What is
// different is that nothing outlives the process and that everything is bounded. Config.MaxSessions bounds the sessions, a
// multiple of it the marks, locks, claims and index members. At a bound, first what has expired makes room; then a
// write that would start something new answers [session.ErrFull]. Ending a session that exists is never refused.
//
// What has expired is gone for every call at once. Its memory is freed when a call meets it, at a bound, and by a sweeper once a
// minute, which [Store.Close] ends and waits for.
package memory
