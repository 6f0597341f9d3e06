package session

import (
	"context"
	"fmt"
)

// The limit of sessions per user is decided in one step of the store, so that it holds for any number of sign-ins at once on any number
// of replicas. A sign-in first looks which members are dead, because the store cannot: their records are in other slots. Then
// the store takes the new member, or refuses it, and says who has to go. Those stay in the index until they have ended: if we stop here, the next
// sign-in is told the same, and a logout finds them.

// joinGrace is how long a member without a session counts: the sign-in that added it may be about to create it, and undoes itself after signInTime.
const joinGrace = 2 * signInTime

// addWithin adds s to its user's index under the limit.
func (m *Manager) addWithin(ctx context.Context, key IndexKey, member Member, s *Session, leaving []ID) (over []Member, err error) {
	seats, err := m.seats(ctx, key)
	if err != nil {
		return nil, err
	}
	limit := Limit{Max: m.cfg.MaxPerUser, Refuse: m.cfg.OnLimit == OnLimitRefuse, Grace: joinGrace, Leaving: leaving}
	for _, seat := range seats {
		if seat.left == 0 {
			limit.Gone = append(limit.Gone, seat.ID)
		}
	}
	return m.store.AddWithin(ctx, key, member, s.IssuedAt, s.Deadline, limit)
}

// makeRoom ends the sessions that are too many now that s is there. If one cannot be ended, s goes again: a limit that is not kept is none.
func (m *Manager) makeRoom(ctx context.Context, s *Session, over []Member) error {
	if len(over) == 0 {
		return nil
	}
	key := userIndex(s.Issuer, s.Subject)
	_, err := m.endAll(ctx, over, func(member Member) (bool, error) {
		return m.endListed(ctx, s.Issuer, key, member, "limit")
	})
	if err == nil {
		return nil
	}
	return m.undo(ctx, s, fmt.Errorf("make room for the sign-in: %w", err))
}
