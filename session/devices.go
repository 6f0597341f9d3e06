package session

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Device is one of a user's sessions, as the user sees it in a list.
type Device struct {
	// Handle names it.
	Handle string
	// Browser and Address are those of the sign-in: a short name, and the address' network.
	Browser, Address string
	// Created is when the user signed in there.
	Created time.Time
	// LastSeen is when the session was last used, up to a minute earlier than it was: as exactly as the idle timeout is kept. In the last stretch
	// before the deadline, which the idle timeout reaches beyond, it was used then or later.
	LastSeen time.Time
	// Current is the session that asks.
	Current bool
}

// Devices lists all sessions of s' user, the newest first. ErrNone if s itself is gone.
func (m *Manager) Devices(ctx context.Context, s *Session) ([]Device, error) {
	key := userIndex(s.Issuer, s.Subject)
	seats, err := m.living(ctx, key)
	if err != nil {
		return nil, err
	}
	now, present := m.now(), false
	var devices []Device
	for _, seat := range seats {
		info, ok := m.info(key, seat.Member)
		if !ok {
			continue // sealed with a secret that we do not have; reported
		}
		d := Device{
			Handle: info.Handle, Browser: info.Browser, Address: info.Address, Created: fromMillis(info.Created),
			Current: seat.ID == s.id,
		}
		d.LastSeen = m.lastSeen(d.Created, seat.left, now)
		present = present || d.Current
		devices = append(devices, d)
	}
	if !present {
		return nil, ErrNone
	}
	slices.SortFunc(devices, func(a, b Device) int {
		return cmp.Or(b.Created.Compare(a.Created), strings.Compare(a.Handle, b.Handle))
	})
	return devices, nil
}

// lastSeen is when a session was used that lives for left: that moved its end to the idle timeout from then. It was never used before it was there,
// nor later than now, whatever the clocks and a changed timeout make of it.
func (m *Manager) lastSeen(created time.Time, left time.Duration, now time.Time) time.Time {
	seen := now.Add(left - m.cfg.IdleTimeout).UTC().Truncate(time.Millisecond)
	if seen.After(now) {
		seen = now
	}
	if seen.Before(created) {
		seen = created
	}
	return seen
}

// EndDevice ends the session with that handle, if it is one of s' user's own: only that user's index is looked at. It answers false if there is none,
// whether or not anybody else has it. ErrNone if s itself is gone: who is signed out signs out nobody.
func (m *Manager) EndDevice(ctx context.Context, s *Session, handle string) (bool, error) {
	if _, err := m.IdleLeft(ctx, s); err != nil {
		return false, err
	}
	key := userIndex(s.Issuer, s.Subject)
	members, err := m.store.Members(ctx, key)
	if err != nil {
		return false, fmt.Errorf("read index: %w", err)
	}
	for _, member := range members {
		if info, ok := m.info(key, member); ok && info.Handle == handle {
			return m.endListed(ctx, s.Issuer, key, member, "device")
		}
	}
	return false, nil
}

// EndOthers ends all sessions of s' user but s, also those that are just being created, and reports how many there were. An error means that
// not all are ended. ErrNone if s itself is gone.
func (m *Manager) EndOthers(ctx context.Context, s *Session) (ended int, err error) {
	if _, err := m.IdleLeft(ctx, s); err != nil {
		return 0, err
	}
	key := userIndex(s.Issuer, s.Subject)
	members, err := m.store.Members(ctx, key)
	if err != nil {
		return 0, fmt.Errorf("read index: %w", err)
	}
	others := slices.DeleteFunc(members, func(member Member) bool { return member.ID == s.id })
	return m.endAll(ctx, others, func(member Member) (bool, error) {
		return m.endListed(ctx, s.Issuer, key, member, "device")
	})
}
