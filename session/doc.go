// Package session keeps who is signed in, and their tokens.
//
// A browser holds a ticket, 32 random bytes in a cookie, and nothing else. The server keeps the
// session behind it in a [Store]: under the ticket's hash, sealed with a key made of the ticket and a
// secret of the server. So whoever reads the store cannot use what they find, whoever steals the
// cookie jar of one user learns nothing of another, and whoever can write to the store can neither
// invent a session nor move one user's record under another user's key.
//
// # Reading
//
// [Manager.FromRequest] turns a request into a [*Session]. Opened sessions are kept as copies, bounded in number and bytes. While
// [Manager.Watch] listens and what it hears proves alive, a copy serves without a question to the store; otherwise the store is asked once, and a copy of the same
// bytes saves decrypting and decoding (copies.go says what makes a copy trustworthy, watch.go what makes the proof). A
// *Session that was handed out is never changed; a write makes a new one.
//
// # Writing
//
// [Manager.Start] makes a session at sign-in, with a new ticket always. [Manager.End],
// [Manager.EndOne], [Manager.EndByProvider] and [Manager.EndByProviderSession] end sessions. [Manager.AccessToken] refreshes. Every
// write is conditional: a create succeeds only where nothing is and no ended mark stands, an update
// only on the version that was read. So an ended session never comes back, and a slow writer
// never overwrites a newer one. Writes go through alexedwards/scs (scs.go); idle time is the store's
// expiry and is moved without a write (touch.go).
//
// # One user's sessions
//
// [Manager.Devices] lists them, [Manager.EndDevice] and [Manager.EndOthers] end them, by the user's index alone (index.go, devices.go). With
// [Config.MaxPerUser] a sign-in is held to a limit, in one step of the store, however many there are at once (limit.go).
//
// # Errors
//
// [ErrNone] means: nobody is signed in. Any error that is none of this package's states is an outage:
// nothing was decided, the answer is 503, the cookie stays.
//
// # Refresh
//
// A refresh token is used once. In a process there is one flight per session, across processes one
// lock; and since no lock can stop a process from dying between two lines, the attempt is recorded
// before the token is sent, and an attempt whose outcome nobody knows is repeated once at most
// (flight.go, refresh.go, attempt.go).
package session
