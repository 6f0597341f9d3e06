package bff

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"cloakroom/bff/inbound"
	"cloakroom/configs"
	"cloakroom/session"
	"cloakroom/session/redis"
)

// APIKey is what is kept of an API key: all but the key itself.
type APIKey = inbound.Key

// ErrNoKey says that there is no API key with an ID.
var ErrNoKey = inbound.ErrNoKey

// keyRegister is where the store has the API keys.
const keyRegister = "apikey"

// keptExpired is how long a key that is over is listed still. The next new one drops it then.
const keptExpired = 30 * 24 * time.Hour

// register is what both stores have beside sessions.
type register interface {
	PutEntry(ctx context.Context, register, name string, value []byte) error
	DropEntry(ctx context.Context, register, name string) (bool, error)
	Entry(ctx context.Context, register, name string) ([]byte, error)
	Entries(ctx context.Context, register string) (map[string][]byte, error)
}

// keyFinder finds API keys in a store, for the package that judges them.
type keyFinder struct{ store register }

// Find implements inbound.Keys.
func (k keyFinder) Find(ctx context.Context, id string) (inbound.Key, error) {
	data, err := k.store.Entry(ctx, keyRegister, id)
	switch {
	case errors.Is(err, session.ErrNone):
		return inbound.Key{}, inbound.ErrNoKey
	case err != nil:
		return inbound.Key{}, err
	}
	key, err := inbound.DecodeKey(id, data)
	if err != nil {
		return inbound.Key{}, fmt.Errorf("%w: %w", inbound.ErrNoKey, err) // damage is no outage: asking again gives the same answer
	}
	return key, nil
}

// KeyRing makes, lists and revokes the API keys of a configuration. Close it.
type KeyRing struct {
	store register
	now   func() time.Time
	close func() error
}

// OpenKeys opens the store that a configuration names. It does not connect yet.
func OpenKeys(cfg *configs.Config) (*KeyRing, error) {
	if cfg.Session.Store != "redis" {
		return nil, fmt.Errorf("session.store is %s, which lives and dies with the server: a key that is made here would never be known there\nset session.store: redis",
			cfg.Session.Store)
	}
	store, err := redis.New(cfg.Session.Redis, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, fmt.Errorf("session.redis: %w", err)
	}
	return &KeyRing{store: store, now: time.Now, close: store.Close}, nil
}

// Close closes the store.
func (r *KeyRing) Close() error { return r.close() }

// New makes a key with this name, roles, scopes and end. Its text is returned once, and kept nowhere.
func (r *KeyRing) New(ctx context.Context, k APIKey) (text string, made APIKey, err error) {
	k.Created = r.now().UTC().Truncate(time.Second)
	if text, made, err = inbound.NewKey(k); err != nil {
		return "", APIKey{}, err
	}
	if err := r.store.PutEntry(ctx, keyRegister, made.ID, made.Encode()); err != nil {
		return "", APIKey{}, fmt.Errorf("write API key: %w", err)
	}
	r.tidy(ctx)
	return text, made, nil
}

// tidy drops keys that were over long ago. If it fails, the next one does it.
func (r *KeyRing) tidy(ctx context.Context) {
	all, _ := r.List(ctx)
	for _, k := range all {
		if !k.Expires.IsZero() && r.now().Sub(k.Expires) > keptExpired {
			_, _ = r.store.DropEntry(ctx, keyRegister, k.ID)
		}
	}
}

// List returns all keys, the oldest first. A record that is damaged is left out, and is an error beside the others.
func (r *KeyRing) List(ctx context.Context) ([]APIKey, error) {
	entries, err := r.store.Entries(ctx, keyRegister)
	if err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	var all []APIKey
	var damaged []error
	for _, id := range slices.Sorted(maps.Keys(entries)) {
		k, err := inbound.DecodeKey(id, entries[id])
		if err != nil {
			damaged = append(damaged, fmt.Errorf("%q: %w\nrevoke it", id, err))
			continue
		}
		all = append(all, k)
	}
	slices.SortStableFunc(all, func(a, b APIKey) int { return a.Created.Compare(b.Created) })
	return all, errors.Join(damaged...)
}

// Revoke ends a key: every server refuses it within half a second. It is named by its ID, or by itself where it has been found somewhere. The answer is the ID.
func (r *KeyRing) Revoke(ctx context.Context, key string) (id string, err error) {
	id = inbound.KeyID(key)
	if strings.HasPrefix(id, "ck_") {
		return "", errors.New("this is no whole key; name the ID that stands behind ck_")
	}
	there, err := r.store.DropEntry(ctx, keyRegister, id)
	switch {
	case err != nil:
		return id, fmt.Errorf("revoke API key: %w", err)
	case !there:
		return id, ErrNoKey
	}
	return id, nil
}
