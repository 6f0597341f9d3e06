package limit

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
)

// Who is whose request it is: as much of it as is known. What is not known is empty.
type Who struct {
	// User is the signed-in user: see [User].
	User string
	// Session is the session's ID, not its ticket.
	Session string
	// Caller is the credential of a caller without a session: its kind and ID, or issuer and subject.
	Caller string
	// Client is the address at the other end, after the proxies that are trusted.
	Client netip.Addr
}

// User names a user by issuer and subject: two issuers may have the same subject.
func User(issuer, subject string) string {
	head := binary.AppendUvarint(nil, uint64(len(issuer))) // where one ends and the other begins
	sum := sha256.Sum256(append(append(head, issuer...), subject...))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// Each kind of thing that is counted. They are hashed: a subject that looks like an address is another one.
const (
	kindUser    = 'u'
	kindSession = 's'
	kindCaller  = 'c'
	kindAddress = 'a'
	kindAll     = '*'
)

// counted is what is counted apart by a limit per something. Nobody in particular counts by credential, and else by address: a limit per user must
// not be open to whoever does not sign in.
func (w Who) counted(per string) (kind byte, value string) {
	switch {
	case per == perRoute:
		return kindAll, ""
	case per == perIP:
		return kindAddress, ""
	case per == perSession && w.Session != "":
		return kindSession, w.Session
	case per != perCaller && w.User != "":
		return kindUser, w.User
	case w.Caller != "":
		return kindCaller, w.Caller
	case w.User != "":
		return kindUser, w.User
	}
	return kindAddress, ""
}

// id names what is counted, for one limit: 16 bytes of a hash.
type id [16]byte

// idOf hashes a limit's own name together with what it counts.
func idOf(limit id, kind byte, value string, client netip.Addr) id {
	var room [160]byte // on the stack; a longer value finds room elsewhere
	b := append(append(room[:0], limit[:]...), kind)
	if kind == kindAddress {
		b = appendAddress(b, client)
	} else {
		b = append(b, value...)
	}
	sum := sha256.Sum256(b)
	return id(sum[:16])
}

// embedding is the network in which translators put IPv4 addresses (RFC 6052, section 2.1): behind one, all of IPv4 would be a single /64.
var embedding = netip.MustParsePrefix("64:ff9b::/96")

// plain is an address as it is counted: without zone, and IPv4 as IPv4 however it came.
func plain(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if embedding.Contains(a) {
		b := a.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return a
}

// appendAddress appends what counts as one address: all of IPv4, the /64 of IPv6, which one customer has at least. No address, of a Unix socket, say, is one as well.
func appendAddress(b []byte, a netip.Addr) []byte {
	switch a = plain(a); {
	case a.Is4():
		four := a.As4()
		return append(b, four[:]...)
	case a.Is6():
		all := a.As16()
		return append(b, all[:8]...)
	}
	return b
}
