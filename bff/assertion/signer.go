package assertion

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	lru "github.com/hashicorp/golang-lru/v2"
)

// maxKept bounds the assertions that are kept to be used again.
const maxKept = 8192

// Signer makes assertions. It is safe for concurrent use.
type Signer struct {
	issuer string
	signer jose.Signer
	set    []byte
	now    func() time.Time
	kept   *lru.Cache[asked, signed]
}

// Subject is who an assertion is about.
type Subject struct {
	// Session is the session's ID; empty for a caller without one. Version counts its changes: of another version, other claims may hold.
	Session string
	Version uint64
	// Issuer is the provider's, Subject the user's name there.
	Issuer, Subject string
	Roles           []string
	Claims          map[string]any
	// Deadline is when the session ends: no assertion about it is valid for longer.
	Deadline time.Time
}

// Wish is what an upstream wants to have asserted.
type Wish struct {
	// Audience is the upstream's name.
	Audience string
	// TTL is how long the assertion is valid.
	TTL time.Duration
	// Claims are those that it has besides, as far as the subject has them.
	Claims []string
}

// asked is what an assertion is kept by.
type asked struct {
	session, audience, claims string
	ttl                       time.Duration
}

// signed is an assertion that is used until then.
type signed struct {
	token   string
	version uint64
	until   time.Time
}

// New makes a Signer of a valid configuration; nil if it has no keys. issuer is who signs: the public URL. A nil now is time.Now.
func New(c Config, issuer string, now func() time.Time) (*Signer, error) {
	if len(c.Keys) == 0 {
		return nil, nil
	}
	if now == nil {
		now = time.Now
	}
	keys := make([]jose.JSONWebKey, len(c.Keys))
	for i, text := range c.Keys {
		var err error
		if keys[i], err = readKey(text); err != nil {
			return nil, fmt.Errorf("keys[%d] %w", i, err)
		}
	}
	s := &Signer{issuer: issuer, now: now}
	var err error
	if s.set, err = publicSet(keys); err != nil {
		return nil, fmt.Errorf("publish keys: %w", err)
	}
	first := jose.SigningKey{Algorithm: jose.SignatureAlgorithm(keys[0].Algorithm), Key: keys[0]}
	if s.signer, err = jose.NewSigner(first, (&jose.SignerOptions{}).WithType("JWT")); err != nil {
		return nil, fmt.Errorf("keys[0]: %w", err)
	}
	if s.kept, err = lru.New[asked, signed](maxKept); err != nil {
		return nil, err
	}
	return s, nil
}

// KeySet is the JSON Web Key Set by which assertions are verified. The caller must not change it.
func (s *Signer) KeySet() []byte { return s.set }

// Sign returns an assertion about who for one audience. One that was made before is used again until half of its life is over: its jti names it, not the request.
func (s *Signer) Sign(who Subject, w Wish) (string, error) {
	key := asked{who.Session, w.Audience, strings.Join(w.Claims, "\x00"), w.TTL}
	now := s.now()
	if k, ok := s.kept.Get(key); ok && who.Session != "" && k.version == who.Version && now.Before(k.until) {
		return k.token, nil
	}
	exp := now.Add(w.TTL)
	if !who.Deadline.IsZero() && exp.After(who.Deadline) {
		exp = who.Deadline
	}
	token, err := s.sign(s.claims(who, w, now, exp))
	if err != nil {
		return "", fmt.Errorf("sign assertion: %w", err)
	}
	if who.Session == "" { // no copy of a session that could be named by
		return token, nil
	}
	s.kept.Add(key, signed{token, who.Version, now.Add(exp.Sub(now) / 2)})
	return token, nil
}

// sign makes the JWT. go-jose's own encoder takes a number that came from JSON for a text.
func (s *Signer) sign(claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	object, err := s.signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return object.CompactSerialize()
}

// claims are what the assertion says. Those of the protocol come last: no claim of a provider takes their place.
func (s *Signer) claims(who Subject, w Wish, now, exp time.Time) map[string]any {
	all := map[string]any{}
	for _, name := range w.Claims {
		if v, ok := who.Claims[name]; ok && exact(v) {
			all[name] = v
		}
	}
	roles := who.Roles
	if roles == nil {
		roles = []string{}
	}
	maps.Copy(all, map[string]any{
		"iss": s.issuer, "sub": who.Subject, "idp": who.Issuer, "aud": w.Audience, "roles": roles,
		"iat": now.Unix(), "exp": exp.Unix(), "jti": rand.Text(),
	})
	return all
}

// exact reports whether a claim is as the provider gave it. From 2^53 on different numbers of JSON are one and the same float64: what was made of one may be another's.
func exact(v any) bool {
	switch v := v.(type) {
	case float64:
		return math.Abs(v) < 1<<53
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !exact(e) })
	case map[string]any:
		for _, e := range v {
			if !exact(e) {
				return false
			}
		}
	}
	return true
}
