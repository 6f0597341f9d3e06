package inbound

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// ErrNoKey is what [Keys] answer where there is no such key.
var ErrNoKey = errors.New("no such API key")

// Keys finds API keys by their IDs. Any error but [ErrNoKey] is an outage.
type Keys interface {
	Find(ctx context.Context, id string) (Key, error)
}

const (
	// keyFresh is how long an answer of the store counts, from when it was asked: a revoked key is refused after it at the latest.
	keyFresh = 500 * time.Millisecond
	// keyPatience bounds one question to the store, which has a timeout of its own.
	keyPatience = 5 * time.Second
	// keysKept bounds the answers that are kept, those with a key and those without one each: who makes IDs up pushes out no real one.
	keysKept = 4096
)

// keyCache asks the store for each key at most once in keyFresh, however many requests there are.
type keyCache struct {
	store Keys
	now   func() time.Time
	count func(string)
	found *lru.Cache[string, keyAnswer]
	none  *lru.Cache[string, keyAnswer]

	mu      sync.Mutex
	flights map[string]*flight // questions under way, by ID
}

// keyAnswer is what the store said, and when it was asked.
type keyAnswer struct {
	key   Key
	err   error
	asked time.Time
}

// flight is one question that several requests may wait for.
type flight struct {
	done   chan struct{}
	answer keyAnswer
}

func newKeyCache(d Deps) *keyCache {
	c := &keyCache{store: d.Keys, now: d.Now, count: d.Count, flights: map[string]*flight{}}
	c.found, _ = lru.New[string, keyAnswer](keysKept) // fails for no size but those below one
	c.none, _ = lru.New[string, keyAnswer](keysKept)
	return c
}

// find returns the key, ErrNoKey, or an outage.
func (c *keyCache) find(ctx context.Context, id string) (Key, error) {
	for _, kept := range []*lru.Cache[string, keyAnswer]{c.found, c.none} {
		if a, ok := kept.Get(id); ok && c.now().Sub(a.asked) < keyFresh {
			return a.key, a.err
		}
	}
	f, ours := c.join(id)
	if ours {
		c.ask(ctx, id, f)
	}
	select {
	case <-f.done:
		return f.answer.key, f.answer.err
	case <-ctx.Done():
		return Key{}, ctx.Err()
	}
}

// join finds out who asks: this request, or one that it waits for. A question that began too long ago is not joined: its answer may be from before a
// revocation.
func (c *keyCache) join(id string) (f *flight, ours bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.flights[id]; ok && c.now().Sub(f.answer.asked) < keyFresh {
		return f, false
	}
	f = &flight{done: make(chan struct{}), answer: keyAnswer{asked: c.now()}}
	c.flights[id] = f
	return f, true
}

// ask asks for all who wait: that the one who asks goes away must not fail the others, and the question ends in bounded time.
func (c *keyCache) ask(ctx context.Context, id string, f *flight) {
	defer close(f.done)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keyPatience)
	defer cancel()
	f.answer.key, f.answer.err = c.store.Find(ctx, id)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flights[id] == f {
		delete(c.flights, id)
	}
	switch {
	case f.answer.err == nil:
		c.found.Add(id, f.answer)
		c.none.Remove(id)
	case errors.Is(f.answer.err, ErrNoKey):
		c.none.Add(id, f.answer)
		c.found.Remove(id)
	default:
		c.count(EventStoreFailed) // not kept: the next request may have more luck
	}
}

// byKey identifies the bearer of an API key.
func (in *Inbound) byKey(ctx context.Context, r *http.Request) (*Caller, error) {
	text := r.Header.Get(in.cfg.APIKey.Header)
	if http.CanonicalHeaderKey(in.cfg.APIKey.Header) == "Authorization" {
		_, text, _ = splitAuthorization(text)
	}
	id, ok := parseKey(text)
	if !ok {
		return nil, refuse(ReasonKeyMalformed, "")
	}
	key, err := in.keys.find(ctx, id)
	if err != nil && !errors.Is(err, ErrNoKey) {
		return nil, fmt.Errorf("%w: find API key %s: %w", ErrUnavailable, id, err)
	}
	// Of a key that there is not, Hash is zero: it is compared all the same, so that time tells nothing of what IDs there are.
	if !key.matches(text) || err != nil {
		return nil, refuseKey(ReasonKeyUnknown, id)
	}
	if key.over(in.deps.Now()) {
		return nil, refuseKey(ReasonKeyExpired, id)
	}
	return &Caller{
		Kind: KindAPIKey, ID: key.ID, Name: key.Name, Subject: key.ID, Roles: key.Roles, Scopes: key.Scopes, Expires: key.Expires,
	}, nil
}

// refuseKey names the key by its ID, which is not secret and is what its owner is asked for.
func refuseKey(reason, id string) *Refusal {
	r := refuse(reason, "API key "+id)
	r.Caller = id
	return r
}
