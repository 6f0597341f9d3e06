// Package redis keeps sessions in Redis 7 or newer, for any number of processes.
//
// # Keys
//
// Every key starts with the configured prefix and has an expiry, always, but for registers. The part in braces is the hash tag, so
// that all keys that one step touches are on one node of a cluster.
//
//	<prefix>:s:{<session ID>}  record: version (8 bytes, big-endian), write ID (16 bytes), sealed session
//	<prefix>:e:{<session ID>}  ended mark: the write ID of the end, whether a record was there, and the reason
//	<prefix>:l:{<session ID>}  lock of the refresh token: its owner
//	<prefix>:i:{<index key>}   index: a hash, session ID to its expiry, a hyphen, when it was added, a colon and sealed info
//	<prefix>:m:{<index key>}   mark of the index: sessions issued until then are ended, in milliseconds since 1970
//	<prefix>:c:{<name>}        claim: its owner
//	<prefix>:k:{<register>}    register: a hash of entries that are no sessions, such as API keys (apikey); it does not expire
//
// Keys of others, such as rate limits (<prefix>:r:…), begin with the same prefix and are written by their own scripts: see [Runner].
//
// A record is one string, so that a request costs one plain GET.
//
// # Writing
//
// A write is one script, or one command, that decides and acts in one step. Its answer may be lost on the way, and the
// client library then sends it again; so each write carries a name of its own (write ID, owner, a random one for an end)
// that the server keeps, and a repeat is answered as the first time. PEXPIREAT of [Store.Touch] has no such name and is
// never sent again. Reads may be.
//
// Create, Update, Prolong and End announce themselves in the same script on the channel <prefix>:announce; announce.go says in what words. Touches and
// indexes are not announced: they change no session.
//
// # Listening
//
// [Store.Listen] subscribes on one connection for each server that takes writes, and reads it in a loop of its own: the library's own loop swallows errors, and
// connects again and drops messages without a word. A connection that breaks is not mended; whoever listens has to begin anew and knows that it missed something. listen.go says
// what makes the answer to a ping a proof.
//
// # Reading
//
// A list of a user's sessions is one HGETALL and, for all times to live together, one pipeline. Nothing walks through the keyspace: there is no SCAN or KEYS.
//
// A read is one GET on a connection of the pool. When many are under way at once they are sent together, on one
// connection more, which halves their processor time; read.go says how that fails no read that would have succeeded alone.
//
// # Time
//
// Expiries are times of the caller's clock, judged by the clock of Redis: keep both in step. Each call, with its dials
// and repeats, ends within Config.Timeout or the context's deadline, whichever is earlier.
//
// # Errors
//
// States are the sentinels of package session. A value of the wrong type or length is [session.ErrCorrupt] and names the
// kind of key. Everything else is an outage, and says nothing about the session. No error contains the password.
//
// # Setting up Redis
//
// [Store.Check] wants a primary, version 7 or newer, with maxmemory-policy noeviction: with any other policy Redis drops sessions
// and ended marks when memory is short. When memory is full, sign-ins are refused and everything else goes on. An ACL user needs these rights and no more:
//
//	user cloakroom on >… resetchannels resetkeys ~cloakroom:* &cloakroom:announce -@all
//	  +ping +hello +info +select +get +set +del +exists +pttl +pexpireat
//	  +hset +hdel +hget +hgetall +hrandfield +time +eval +evalsha +subscribe +publish
//
// A server needs no right to write registers: with %R~cloakroom:k:* and the other kinds of keys one by one, as ~cloakroom:s:*, it can only read them.
// Where INFO is refused, HELLO and +config|get serve. Config.Wait needs +wait besides, and a cluster +cluster|slots.
//
// # Topologies
//
// One server, a primary that sentinels watch, or a cluster; commands only ever go to primaries, and redirects are followed with the same write ID. Each server has a
// breaker: one that gives no answer is asked by one command at a time, and the others fail at once. [Store.Health] tells.
//
// With Config.Wait, what a failover must not undo waits for replicas; wait.go says what that is. Too few are [session.ErrUnreplicated].
package redis
