package redis_test

import (
	"testing"

	"cloakroom/session/redis"
	"cloakroom/session/storetest"
)

// AUN-04: what is kept of API keys, as a user with the rights that doc.go lists, and in a cluster.
func TestRegistersAreKept(t *testing.T) {
	t.Run("by one server", func(t *testing.T) {
		storetest.RunRegister(t, open(t, user(t, storetest.StartRedis(t), leastRights)))
	})
	t.Run("by a cluster", func(t *testing.T) {
		cfg := redis.Config{Cluster: storetest.StartCluster(t, 3, false).Addresses(), Prefix: "test", Timeout: 5e9, PoolSize: 4}
		storetest.RunRegister(t, open(t, cfg))
	})
}

// A server that only reads API keys needs no right to write them: whoever takes it over makes none.
func TestARegisterCanBeReadOnly(t *testing.T) {
	server := storetest.StartRedis(t)
	writer := open(t, config(server))
	if err := writer.PutEntry(t.Context(), "apikey", "one", []byte("x")); err != nil {
		t.Fatal(err)
	}
	rights := "resetchannels resetkeys ~test:s:* %R~test:r:* &test:announce -@all +ping +hello +info +select +hget +hgetall +hset +hdel +eval +evalsha"
	reader := open(t, user(t, server, rights))
	if got, err := reader.Entry(t.Context(), "apikey", "one"); err != nil || string(got) != "x" {
		t.Errorf("read: %q, %v", got, err)
	}
	if err := reader.PutEntry(t.Context(), "apikey", "two", []byte("x")); err == nil {
		t.Error("it can be written")
	}
	if _, err := reader.DropEntry(t.Context(), "apikey", "one"); err == nil {
		t.Error("it can be deleted from")
	}
}
