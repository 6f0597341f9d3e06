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
	fresh    func() *oidc.RemoteKeySet // one that knows nothing yet
	fetch    func(ctx context.Context) ([]byte, error)
	now      func() time.Time
	cooldown time.Duration

	turn chan struct{} // holds one; whoever took it out owns what follows
	next time.Time     // the network is not asked before
	asks int           // how often it was asked
	body []byte        // the last good key set
	err  error         // why the last fetch failed, nil if it did not
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
	k.fresh = func() *oidc.RemoteKeySet {
		return oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), &http.Client{Transport: k}), url)
	}
	k.remote = k.fresh()
	k.turn <- struct{}{}
	return k
}

// load fetches the keys for the first time, and makes the library look at them. It looks when a signature has to be verified and does not know what it
// got then from what it has; left to the first sign-in, keys that are hours old would pass for new ones, and one by a newer key would be refused.
func (k *keySet) load(ctx context.Context) error {
	<-k.turn
	k.ask(ctx)
	err := k.err
	k.turn <- struct{}{}
	if err == nil {
		k.remote.VerifySignature(ctx, unsigned)
	}
	return err
}

// unsigned is a token that no key verifies: {"alg":"RS256"} and {}, with a signature of one byte.
const unsigned = "eyJhbGciOiJSUzI1NiJ9.e30.AA"

func (k *keySet) ask(ctx context.Context) {
	k.next = k.now().Add(k.cooldown)
	k.asks++
	var body []byte
	if body, k.err = k.fetch(ctx); k.err == nil {
		k.body = body
	}
}

// RoundTrip answers the library's fetch from the network, or during the cooldown from memory.
func (k *keySet) RoundTrip(r *http.Request) (*http.Response, error) {
	<-k.turn
	defer func() { k.turn <- struct{}{} }()
	if !k.now().Before(k.next) {
		k.ask(r.Context())
	}
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
func (k *keySet) verify(ctx context.Context, raw, keyID string) ([]byte, error) {
	before, _ := k.asked()
	payload, err := k.remote.VerifySignature(ctx, raw)
	if asks, due := k.asked(); err != nil && asks == before && due {
		// The library has joined a fetch that was over: it takes a moment to notice. One that has made none yet makes its own.
		payload, err = k.fresh().VerifySignature(ctx, raw)
	}
	if err == nil {
		return payload, nil
	}
	if ctx.Err() != nil {
		return nil, cause(ctx.Err())
	}
	<-k.turn
	defer func() { k.turn <- struct{}{} }()
	switch {
	case k.err != nil:
		return nil, errNoKeys // the signing key may be a new one
	case k.asks == before && !k.has(keyID):
		return nil, &Refusal{ReasonSignature, errWithheld}
	}
	return nil, refuse(ReasonSignature, "no key of the provider verifies it")
}

// asked tells how often the network was asked, and whether it may be again.
func (k *keySet) asked() (asks int, due bool) {
	<-k.turn
	defer func() { k.turn <- struct{}{} }()
	return k.asks, !k.now().Before(k.next)
}

// has reports whether the last good key set has a key of that ID. A token that names no key is judged by all of them.
func (k *keySet) has(keyID string) bool {
	var set jose.JSONWebKeySet
	return keyID == "" || (json.Unmarshal(k.body, &set) == nil && len(set.Key(keyID)) > 0)
}

// errWithheld says that a key is not known, and that the cooldown kept us from asking for it: it may be a new one.
var errWithheld = errors.New("the key is not known, and the provider was asked for its keys a moment ago")

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
		key, err := bareKey(raw)
		if err != nil {
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

// bareKey reads a key without the certificates that may come with it (RFC 7517, sections 4.6 to 4.9). Nothing here looks at them, and an odd one is no
// reason to do without the key.
func bareKey(raw []byte) (jose.JSONWebKey, error) {
	var key jose.JSONWebKey
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return key, err
	}
	for _, name := range []string{"x5u", "x5c", "x5t", "x5t#S256"} {
		delete(members, name)
	}
	bare, err := json.Marshal(members)
	if err != nil {
		return key, err
	}
	err = json.Unmarshal(bare, &key)
	return key, err
}
