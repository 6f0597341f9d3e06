package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// EndByProvider ends what a back-channel logout asks for: with a sid the sessions that hang on it, and if there is a subject too, those of the subject that may
// hang on it, because their ID tokens had no sid; without a sid all sessions of the subject. In each case those whose ID token was not issued later than the logout token. The same holds, by the mark that stays, for a sign-in that
// is under way. It reports how many sessions it ended; none is fine.
//
// ErrMismatch if subject and sid are given and contradict each other: then nobody is signed out. Any other error means that
// not all ends were written, and that the provider should try again.
func (m *Manager) EndByProvider(ctx context.Context, issuer, subject, sid string, issued time.Time) (ended int, err error) {
	if sid == "" {
		return m.endIn(ctx, userIndex(issuer, subject), issuer, subject, issued)
	}
	key := providerIndex(issuer, sid)
	if err := m.agree(ctx, key, subject); err != nil {
		return 0, err
	}
	ended, err = m.endIn(ctx, key, issuer, subject, issued)
	if subject == "" {
		return ended, err
	}
	// Whose ID token named no session is in every one of the subject's that the provider ends (OpenID Connect Back-Channel Logout, section 2.7): to sign out one
	// too many is the lesser mistake.
	loose, err2 := m.endIn(ctx, looseIndex(issuer, subject), issuer, subject, issued)
	return ended + loose, cmp.Or(err, err2)
}

// endIn marks an index and ends those of its members that a logout token is about.
func (m *Manager) endIn(ctx context.Context, key IndexKey, issuer, subject string, issued time.Time) (ended int, err error) {
	members, err := m.mark(ctx, key, issued)
	if err != nil {
		err = fmt.Errorf("mark index: %w", err)
	}
	if err != nil && !errors.Is(err, ErrUnreplicated) {
		return 0, err
	}
	ended, failed := m.endAll(ctx, members, func(member Member) (existed bool, err error) {
		if info, readable := m.info(key, member); readable && !meant(info, subject, issued) {
			return false, nil
		}
		return m.endListed(ctx, issuer, key, member, "backchannel")
	})
	return ended, cmp.Or(failed, err)
}

const (
	// endAtOnce is how many sessions of a user end at the same time: a robot may have thousands, and the provider does not wait for long.
	endAtOnce = 16
	// endAllTime is when no further ones are begun: the provider tries again, and the next try finds less to do.
	endAllTime = 5 * time.Second
)

// endAll ends members, bounded in number at once and in time. It goes on after an error: other sessions may be on another server.
func (m *Manager) endAll(ctx context.Context, members []Member, end func(Member) (bool, error)) (ended int, err error) {
	var (
		all    sync.WaitGroup
		mu     sync.Mutex // guards the results
		failed int
	)
	begun := m.now()
	slots := make(chan struct{}, endAtOnce)
	for i, member := range members {
		slots <- struct{}{}
		if m.now().Sub(begun) > endAllTime {
			mu.Lock()
			failed, err = failed+len(members)-i, cmp.Or(err, errSlowEnd)
			mu.Unlock()
			break
		}
		all.Go(func() {
			existed, err2 := end(member)
			mu.Lock()
			defer mu.Unlock()
			if existed {
				ended++
			}
			if err2 != nil {
				failed, err = failed+1, cmp.Or(err, err2)
			}
			<-slots
		})
	}
	all.Wait()
	if err != nil {
		err = fmt.Errorf("%d of %d sessions did not end: %w", failed, len(members), err)
	}
	return ended, err
}

var errSlowEnd = errors.New("it takes too long")

// meant tells whether a logout token is about this session. Order is by the provider's clock on both sides; in the same second the logout wins.
func meant(i memberInfo, subject string, issued time.Time) bool {
	return (subject == "" || i.Subject == subject) && !fromMillis(i.IssuedAt).After(issued)
}

// agree refuses a logout token whose sid belongs to another subject's session.
func (m *Manager) agree(ctx context.Context, key IndexKey, subject string) error {
	if subject == "" {
		return nil
	}
	members, err := m.living(ctx, key)
	if err != nil {
		return err
	}
	for _, seat := range members {
		if info, ok := m.info(key, seat.Member); ok && info.Subject != subject {
			return ErrMismatch
		}
	}
	return nil
}

// mark refuses from now on what was issued before, and lists what is there, in one step of the store.
func (m *Manager) mark(ctx context.Context, key IndexKey, issued time.Time) ([]Member, error) {
	ctx, cancel := context.WithTimeout(settled(ctx), endTime)
	defer cancel()
	return m.store.MarkIndex(ctx, key, issued, endedMark)
}

// endListed ends a session that key's index lists, and takes it out of every index that its entry says it is in.
func (m *Manager) endListed(ctx context.Context, issuer string, key IndexKey, member Member, reason string) (existed bool, err error) {
	entries := []IndexKey{key}
	if info, ok := m.info(key, member); ok {
		entries = indexesOf(&Session{Issuer: issuer, Subject: info.Subject, ProviderSession: info.ProviderSession})
	}
	s := m.known(ctx, member.ID)
	existed, err = m.end(ctx, member.ID, s, reason)
	if err == nil && s == nil {
		for _, key := range entries {
			m.dropEntry(settled(ctx), key, member.ID)
		}
	}
	return existed, err
}
