package edge

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/netip"
	"time"
)

// Record is what one request leaves behind. It is made by [RequestID], filled on the request's way
// by the goroutine that serves it, and read by [AccessLog] at the end. It is not safe for other
// goroutines and not to be kept.
type Record struct {
	// ID names the request in logs and answers.
	ID string
	// Route is the matching route's pattern; empty where no route was found.
	Route string
	// Subject is the user's pseudonym as made by [Pseudonym], never the subject itself.
	Subject string
	// Session is the first 8 characters of the session ID.
	Session string
	// Code is the problem's code, where the answer is one. Set by [Answer].
	Code string
	// Rule is the rule or limit that refused, as the configuration calls it.
	Rule string
	// Decision is how a policy agent calls its decision.
	Decision string
	// Caller is the kind of a caller without a session.
	Caller string
	// Reason is the stable name of the rule that decided, such as "cross_site".
	Reason string
	// Ended is why a stream is over, in the words of the metric of closed streams. Empty for what is none.
	Ended string
	// ClientIP is the address at the other end, set by [ClientIP].
	ClientIP netip.Addr
	// Upstream is how long the upstream took until its headers.
	Upstream time.Duration
	// Err is the cause of a failure, for the log alone.
	Err error

	answered bool // Answer had an error to answer
	pages    *pages
	out      counter   // AccessLog's, here to spare an allocation
	idValue  [1]string // the ID as a header's value, here for the same reason
}

// scope is a context with its Record, in one allocation.
type scope struct {
	context.Context
	record Record
}

type recordKey struct{}

// Value answers with the Record, or as the context inside.
func (s *scope) Value(key any) any {
	if _, ok := key.(recordKey); ok {
		return &s.record
	}
	return s.Context.Value(key)
}

// From returns the request's Record. Without one in ctx, as in a test of a single handler, it
// returns a new one that nobody reads: never nil.
func From(ctx context.Context) *Record {
	if rec, ok := ctx.Value(recordKey{}).(*Record); ok {
		return rec
	}
	return new(Record)
}

// Pseudonym returns the name under which logs know a user: the same for the same user, and not the
// subject, which may be an email address. The issuer belongs to it: two providers may use the same subject.
func Pseudonym(issuer, subject string) string {
	sum := sha256.Sum256([]byte(issuer + "\x00" + subject))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}
