package redis

import (
	"fmt"
	"strconv"
	"strings"

	"cloakroom/session"
)

// What is published on the channel, one message each:
//
//	<session ID> <version>           it was written, and is at this version now; 0: it has ended
//	?ended <session ID> <reason>     it has ended, and why; the same with version 0 follows
//	?prolonged <session ID>          its expiry was moved
//	?<beacon> <payload>              of a process to itself, see Ping
//
// A message that begins with a question mark and is none of these is passed over: so a version that knows of others can be beside this one, as versions
// that knew beacons only can be beside it. That is what the second message of an end is for. Anything else ends the subscription: it may have been a write.

// noteMark begins a message that may be passed over. No session ID begins so.
const noteMark = "?"

const (
	endedNote     = noteMark + "ended "
	prolongedNote = noteMark + "prolonged "
)

// announcement is what a write publishes: which session, and its version now. 0 is ended.
func announcement(id session.ID, version uint64) string {
	return string(id) + " " + strconv.FormatUint(version, 10)
}

func endedFor(id session.ID, reason string) string { return endedNote + string(id) + " " + reason }

func prolonged(id session.ID) string { return prolongedNote + string(id) }

// parseAnnouncement is the inverse of these; the zero event for what is passed over. What nobody of us wrote is an error: somebody else has the
// channel, perhaps a later version of us, and says what we do not understand.
func parseAnnouncement(payload string) (session.Event, error) {
	if note, ok := strings.CutPrefix(payload, endedNote); ok {
		if id, reason, ok := strings.Cut(note, " "); ok && id != "" {
			return session.Event{ID: session.ID(id), Reason: reason}, nil
		}
	}
	if id, ok := strings.CutPrefix(payload, prolongedNote); ok && id != "" {
		return session.Event{ID: session.ID(id), Prolonged: true}, nil
	}
	if strings.HasPrefix(payload, noteMark) {
		return session.Event{}, nil
	}
	id, version, ok := strings.Cut(payload, " ")
	n, err := strconv.ParseUint(version, 10, 64)
	if !ok || id == "" || err != nil || version != strconv.FormatUint(n, 10) {
		return session.Event{}, fmt.Errorf("%w: an announcement that cannot be read", errNonsense)
	}
	return session.Event{ID: session.ID(id), Version: n}, nil
}
