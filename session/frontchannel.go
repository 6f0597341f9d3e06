package session

import (
	"context"
	"fmt"
)

// EndByProviderSession ends the sessions that hang on one session at the provider, as a front-channel logout asks for. It reports how many it ended.
//
// Such a request is not signed and has no time of issue. So it ends what its index lists now, a sign-in that is just being created too, and leaves
// no mark: anybody can send one, a mark for each would fill the store, and one with a time of ours could refuse the next honest sign-in.
func (m *Manager) EndByProviderSession(ctx context.Context, issuer, sid string) (ended int, err error) {
	key := providerIndex(issuer, sid)
	members, err := m.listSettled(ctx, key)
	if err != nil {
		return 0, fmt.Errorf("read index: %w", err)
	}
	return m.endAll(ctx, members, func(member Member) (bool, error) {
		return m.endListed(ctx, issuer, key, member, "frontchannel")
	})
}

// listSettled lists an index for a frame that may be gone before its answer: the page around it moves on.
func (m *Manager) listSettled(ctx context.Context, key IndexKey) ([]Member, error) {
	ctx, cancel := context.WithTimeout(settled(ctx), endTime)
	defer cancel()
	return m.store.Members(ctx, key)
}
