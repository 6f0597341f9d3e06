package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// maxKeys bounds how many keys of a key set are used.
const maxKeys = 64

// keySet verifies signatures with the provider's published keys.
//
// go-oidc's key set caches keys, merges concurrent fetches and keeps what it has while fetches fail; but it fetches again for every token whose
// key it does not know, and anybody can send such tokens to the back-channel logout. So its only way to the network is through RoundTrip below, which
// goes there at most once per cooldown and otherwise repeats what it got the last time.
type keySet struct {
	remote   *oidc.RemoteKeySet
	fetch    func(ctx context.Context) ([]byte, error)
	now      func() time.Time
	cooldown time.Duration

	turn chan struct{} // holds one; whoever took it out owns what follows
	next time.Time     // the network is not asked before
	body []byte        // the last good key set
	err  error         // why the last fetch failed, nil if it did not
	owed bool          // load's key set has not reached remote yet
}

func (p *Provider) newKeySet(url string) *keySet {
	k := &keySet{now: p.now, cooldown: p.pace.keyCooldown, turn: make(chan struct{}, 1)}
	k.fetch = func(ctx context.Context) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
		defer cancel()
		body, err := p.getJSON(ctx, url, "")
		if err == nil {
			body, err = usableKeys(body)
		}
		if err != nil {
			p.onError("keys")
		}
		return body, err
	}
	// The library's goroutine ends with its request, and that with the timeout above.
	k.remote = oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), &http.Client{Transport: k}), url)
	k.turn <- struct{}{}
	return k
}

// load fetches the keys for the first time.
func (k *keySet) load(ctx context.Context) error {
	<-k.turn
	defer func() { k.turn <- struct{}{} }()
	k.ask(ctx)
	k.owed = k.err == nil
	return k.err
}

func (k *keySet) ask(ctx context.Context) {
	k.next = k.now().Add(k.cooldown)
	var body []byte
	if body, k.err = k.fetch(ctx); k.err == nil {
		k.body = body
	}
}

// RoundTrip answers the library's fetch from the network, or during the cooldown from memory.
func (k *keySet) RoundTrip(r *http.Request) (*http.Response, error) {
	<-k.turn
	defer func() { k.turn <- struct{}{} }()
	if !k.owed && !k.now().Before(k.next) {
		k.ask(r.Context())
	}
	k.owed = false
	if k.err != nil {
		return nil, k.err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  http.Header{"Content-Type": {"application/json"}},
		Body:    io.NopCloser(bytes.NewReader(k.body)),
		Request: r, ContentLength: int64(len(k.body)),
	}, nil
}

// verify returns the payload of a token whose header has passed parseToken. Without a verdict, because a key is unknown and the
// provider cannot be asked for it, the error is errNoKeys; otherwise it is a Refusal.
func (k *keySet) verify(ctx context.Context, raw string) ([]byte, error) {
	payload, err := k.remote.VerifySignature(ctx, raw)
	if err == nil {
		return payload, nil
	}
	if ctx.Err() != nil {
		return nil, cause(ctx.Err())
	}
	<-k.turn
	defer func() { k.turn <- struct{}{} }()
	if k.err != nil {
		return nil, errNoKeys // the signing key may be a new one
	}
	return nil, refuse(ReasonSignature, "no key of the provider verifies it")
}

// errNoKeys says that a signature could be neither verified nor refused.
var errNoKeys = errors.New("the key is not known and the provider's keys cannot be fetched")

// usableKeys returns the key set with only those keys that sign, are public and are understood. One odd key does not spoil the others.
func usableKeys(body []byte) ([]byte, error) {
	var all struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, errors.New("key set is malformed")
	}
	var usable jose.JSONWebKeySet
	for _, raw := range all.Keys {
		var key jose.JSONWebKey
		if err := json.Unmarshal(raw, &key); err != nil {
			continue
		}
		if len(usable.Keys) < maxKeys && (key.Use == "" || key.Use == "sig") && key.Valid() && key.IsPublic() {
			usable.Keys = append(usable.Keys, jose.JSONWebKey{Key: key.Key, KeyID: key.KeyID, Algorithm: key.Algorithm, Use: key.Use})
		}
	}
	if len(usable.Keys) == 0 {
		return nil, errors.New("key set has no usable signing key")
	}
	return json.Marshal(usable)
}
