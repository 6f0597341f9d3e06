package bff

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/inbound"
	"cloakroom/configs"
	"cloakroom/session/memory"
	"cloakroom/session/redis"
	"cloakroom/session/storetest"
)

// keyConfig is a configuration whose sessions, and keys, are in a Redis.
func keyConfig(server *storetest.Redis) *configs.Config {
	return &configs.Config{Session: configs.Session{Store: "redis", Redis: redis.Config{URL: server.URL(), Prefix: "test", Timeout: 2 * time.Second, PoolSize: 4}}}
}

func openRing(t *testing.T, cfg *configs.Config) *KeyRing {
	t.Helper()
	ring, err := OpenKeys(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ring.Close() })
	return ring
}

// keyReplica knows the callers of one server of its own.
func keyReplica(t *testing.T, cfg *configs.Config) func(key string) (*inbound.Caller, error) {
	t.Helper()
	store, err := redis.New(cfg.Session.Redis, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	in, err := inbound.New(inbound.Config{APIKey: inbound.APIKey{Header: "X-API-Key"}}, inbound.Deps{Keys: keyFinder{store}})
	if err != nil {
		t.Fatal(err)
	}
	return func(key string) (*inbound.Caller, error) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-API-Key", key)
		return in.Identify(context.Background(), r, inbound.KindAPIKey)
	}
}

// AUN-04: a key is made and revoked beside the servers, and each of them knows it in less than a second, although all that they ask for is kept.
func TestAKeyIsRevokedOnEveryReplicaWithinASecond(t *testing.T) {
	cfg := keyConfig(storetest.StartRedis(t))
	ring, replicas := openRing(t, cfg), []func(string) (*inbound.Caller, error){}
	for range 2 {
		replicas = append(replicas, keyReplica(t, cfg))
	}
	text, made, err := ring.New(t.Context(), APIKey{Name: "billing", Roles: []string{"service"}, Scopes: []string{"orders.read"}})
	if err != nil {
		t.Fatal(err)
	}
	for i, knows := range replicas {
		c, err := knows(text)
		if err != nil || c.ID != made.ID || c.Name != "billing" || fmt.Sprint(c.Roles, c.Scopes) != "[service] [orders.read]" {
			t.Fatalf("replica %d: %+v, %v", i, c, err)
		}
	}
	if id, err := ring.Revoke(t.Context(), made.ID); err != nil || id != made.ID {
		t.Fatal(err)
	}
	began := time.Now()
	for i, knows := range replicas { // all the time, as requests come
		var err error
		for err == nil && time.Since(began) < time.Second {
			_, err = knows(text)
		}
		if r, ok := errors.AsType[*inbound.Refusal](err); !ok || r.Reason != inbound.ReasonKeyUnknown {
			t.Errorf("replica %d after %v: %v", i, time.Since(began), err)
		}
	}
}

// AUN-04: what Redis has is no key, nor anything that leads to one.
func TestRedisHoldsNoKey(t *testing.T) {
	server := storetest.StartRedis(t)
	cfg := keyConfig(server)
	text, made, err := openRing(t, cfg).New(t.Context(), APIKey{Name: "n"})
	if err != nil {
		t.Fatal(err)
	}
	store, err := redis.New(cfg.Session.Redis, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	all, err := store.Entries(t.Context(), keyRegister)
	if err != nil || len(all) != 1 || len(all[made.ID]) == 0 {
		t.Fatalf("got %q, %v", all, err)
	}
	for secret := text[16:]; len(secret) >= 12; secret = secret[1:] {
		if strings.Contains(string(all[made.ID]), secret[:12]) {
			t.Fatalf("%s has a part of %s", all[made.ID], text)
		}
	}
}

func TestKeysAreListedRevokedAndForgotten(t *testing.T) {
	ring := openRing(t, keyConfig(storetest.StartRedis(t)))
	now := time.Now()
	ring.now = func() time.Time { return now }
	var texts []string
	for i, name := range []string{"first", "second", "third"} {
		now = now.Add(time.Second)
		text, _, err := ring.New(t.Context(), APIKey{Name: name, Expires: now.Add(time.Duration(i+1) * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	names := func() (all []string) {
		list, err := ring.List(t.Context())
		if err != nil {
			t.Error(err)
		}
		for _, k := range list {
			all = append(all, k.Name)
		}
		return all
	}
	if got := fmt.Sprint(names()); got != "[first second third]" {
		t.Errorf("listed %s", got)
	}
	if id, err := ring.Revoke(t.Context(), texts[1]); err != nil || !strings.Contains(texts[1], id) {
		t.Errorf("revoked by the key itself: %q, %v", id, err)
	}
	if _, err := ring.Revoke(t.Context(), texts[1]); !errors.Is(err, ErrNoKey) {
		t.Errorf("revoked again: %v", err)
	}
	if _, err := ring.Revoke(t.Context(), texts[0][:40]); err == nil || errors.Is(err, ErrNoKey) || strings.Contains(err.Error(), texts[0][16:40]) {
		t.Errorf("revoked by half a key: %v", err)
	}
	now = now.Add(keptExpired + 2*time.Hour)
	if _, _, err := ring.New(t.Context(), APIKey{Name: "fourth"}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(names()); got != "[third fourth]" {
		t.Errorf("after a month: %s", got)
	}
	if err := ring.store.PutEntry(t.Context(), keyRegister, "0123456789AB", []byte("damage")); err != nil {
		t.Fatal(err)
	}
	list, err := ring.List(t.Context())
	if err == nil || len(list) != 2 || !strings.Contains(err.Error(), "0123456789AB") {
		t.Errorf("with a damaged one: %d, %v", len(list), err)
	}
	if _, err := ring.Revoke(t.Context(), "0123456789AB"); err != nil {
		t.Errorf("it cannot be revoked: %v", err)
	}
}

func TestKeysNeedAStoreThatOutlivesTheProcess(t *testing.T) {
	if _, err := OpenKeys(&configs.Config{Session: configs.Session{Store: "memory"}}); err == nil || !strings.Contains(err.Error(), "session.store is memory") {
		t.Errorf("got %v", err)
	}
}

// A damaged record is no key, and no outage; and the two stores answer alike.
func TestFindingKeys(t *testing.T) {
	store := memory.New(memory.Config{MaxSessions: 10})
	defer store.Close()
	find := keyFinder{store}
	if _, err := find.Find(t.Context(), "0123456789AB"); !errors.Is(err, inbound.ErrNoKey) {
		t.Errorf("one that is not there: %v", err)
	}
	_, k, err := inbound.NewKey(APIKey{Name: "n"})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.PutEntry(t.Context(), keyRegister, k.ID, k.Encode()); err != nil {
		t.Fatal(err)
	}
	if got, err := find.Find(t.Context(), k.ID); err != nil || got.ID != k.ID || got.Hash != k.Hash {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := store.PutEntry(t.Context(), keyRegister, k.ID, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if _, err := find.Find(t.Context(), k.ID); !errors.Is(err, inbound.ErrNoKey) {
		t.Errorf("damage: %v", err)
	}
	store.Close()
	if _, err := find.Find(t.Context(), k.ID); err == nil || errors.Is(err, inbound.ErrNoKey) {
		t.Errorf("a store that is closed: %v", err)
	}
}
