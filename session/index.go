package session

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Two indexes find sessions without their tickets: all of a user, {issuer, subject}, and all of a provider's own session,
// {issuer, sid}. Where the provider did not name its session, the second is of all such sessions of the user. The keys are unkeyed hashes, so that they stay the same when the secrets rotate. What a
// member says of its session is sealed with a server secret alone.
//
// A session enters its indexes before it is created and leaves them after it has ended. So a crash leaves an
// entry without a session, which the next reader drops, never a session that a logout cannot find.

// userIndex holds all sessions of a user.
func userIndex(issuer, subject string) IndexKey { return indexKey("user", issuer, subject) }

// providerIndex holds the sessions that hang on one session at the provider.
func providerIndex(issuer, sid string) IndexKey { return indexKey("sid", issuer, sid) }

// looseIndex holds a user's sessions of which nobody knows on which session at the provider they hang.
func looseIndex(issuer, subject string) IndexKey { return indexKey("no sid", issuer, subject) }

// indexKey hashes its parts, each with its length: no two lists of parts give one input.
func indexKey(parts ...string) IndexKey {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(strconv.Itoa(len(p)) + ":" + p))
	}
	return IndexKey(base64.RawURLEncoding.EncodeToString(h.Sum(nil)))
}

// memberInfo is what an index says of a session.
type memberInfo struct {
	Handle          string `json:"h"`
	Created         int64  `json:"c"`
	IssuedAt        int64  `json:"iat"`
	Subject         string `json:"s"`
	ProviderSession string `json:"ps,omitempty"`
	Browser         string `json:"b,omitempty"`
	Address         string `json:"a,omitempty"`
}

func indexesOf(s *Session) []IndexKey {
	other := looseIndex(s.Issuer, s.Subject)
	if s.ProviderSession != "" {
		other = providerIndex(s.Issuer, s.ProviderSession)
	}
	return []IndexKey{userIndex(s.Issuer, s.Subject), other}
}

// enter puts s into its indexes, the user's under the limit of sessions, where there is one: over are then the sessions that have to end.
// Those that leave do not count. ErrEnded if a logout that counts for s came first; ErrTooMany.
func (m *Manager) enter(ctx context.Context, s *Session, leaving []ID) (over []Member, err error) {
	info, err := json.Marshal(memberInfo{
		Handle: s.Handle, Created: millis(s.Created), IssuedAt: millis(s.IssuedAt),
		Subject: s.Subject, ProviderSession: s.ProviderSession, Browser: s.Browser, Address: s.Address,
	})
	if err != nil {
		return nil, fmt.Errorf("encode index entry: %w", err)
	}
	for i, key := range indexesOf(s) {
		member := Member{ID: s.id, Info: m.seal.sealInfo(infoPlace(key, s.id), info)}
		if i == 0 && m.cfg.MaxPerUser > 0 {
			over, err = m.addWithin(ctx, key, member, s, leaving)
		} else {
			err = m.store.AddIndex(ctx, key, member, s.IssuedAt, s.Deadline)
		}
		if err != nil {
			return nil, fmt.Errorf("write index: %w", err)
		}
	}
	return over, nil
}

// leave takes s out of its indexes. Its failure is nobody's: a dead entry is dropped by its next reader, and expires.
func (m *Manager) leave(ctx context.Context, s *Session) {
	for _, key := range indexesOf(s) {
		m.dropEntry(ctx, key, s.id)
	}
}

func (m *Manager) dropEntry(ctx context.Context, key IndexKey, id ID) {
	ctx, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	if err := m.store.DropIndex(ctx, key, id); err != nil {
		m.log.Debug("index entry stays until it is read or expires", "session", id.Short(), "error", err)
	}
}

// infoPlace binds a member's info to its index and session, as the seal binds a record to its key.
func infoPlace(key IndexKey, id ID) string { return string(key) + " " + string(id) }

// info opens what a member says. Entries that do not open count as ended by any logout: the provider asked
// for an end, and ending one session too many is the lesser mistake.
func (m *Manager) info(key IndexKey, member Member) (memberInfo, bool) {
	b, err := m.seal.openInfo(infoPlace(key, member.ID), member.Info)
	if err != nil {
		m.unreadable(member.ID, err)
		return memberInfo{}, false
	}
	var i memberInfo
	if json.Unmarshal(b, &i) != nil {
		m.unreadable(member.ID, errContent)
		return memberInfo{}, false
	}
	return i, true
}

// seat is a member with how long its session lives if nothing touches it; zero if it has none.
type seat struct {
	Member
	left time.Duration
}

// seats lists the members of an index, in two round trips however many they are.
func (m *Manager) seats(ctx context.Context, key IndexKey) ([]seat, error) {
	members, err := m.store.Members(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}
	if len(members) == 0 {
		return nil, nil
	}
	ids := make([]ID, len(members))
	for i, member := range members {
		ids[i] = member.ID
	}
	left, err := m.store.TTLs(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read sessions' expiries: %w", err)
	}
	seats := make([]seat, len(members))
	for i, member := range members {
		seats[i] = seat{member, left[i]}
	}
	return seats, nil
}

// living lists the members whose sessions still are, and drops the others.
func (m *Manager) living(ctx context.Context, key IndexKey) ([]seat, error) {
	seats, err := m.seats(ctx, key)
	if err != nil {
		return nil, err
	}
	alive := seats[:0:0]
	for _, seat := range seats {
		if seat.left > 0 {
			alive = append(alive, seat)
		} else if m.mayDrop(key, seat.Member) {
			m.dropEntry(ctx, key, seat.ID)
		}
	}
	return alive, nil
}

// deadAfter is how old an entry without a session must be to be dropped: much more than signInTime, since the clock that wrote it is another replica's.
const deadAfter = 10 * time.Minute

// mayDrop leaves entries alone whose session may be about to be created.
func (m *Manager) mayDrop(key IndexKey, member Member) bool {
	i, ok := m.info(key, member)
	return ok && m.now().Sub(fromMillis(i.Created)) > deadAfter
}
