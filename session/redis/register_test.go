package redis_test

import (
	"strings"
	"testing"
	"time"

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
	const mayWrite = "~test:s:* ~test:e:* ~test:l:* ~test:i:* ~test:m:* ~test:c:* ~test:r:*"
	rights := user(t, server, strings.Replace(leastRights, "~test:*", mayWrite+" %R~test:k:*", 1))
	reader := open(t, rights)
	if got, err := reader.Entry(t.Context(), "apikey", "one"); err != nil || string(got) != "x" {
		t.Errorf("read: %q, %v", got, err)
	}
	if err := reader.PutEntry(t.Context(), "apikey", "two", []byte("x")); err == nil {
		t.Error("it can be written")
	}
	if _, err := reader.DropEntry(t.Context(), "apikey", "one"); err == nil {
		t.Error("it can be deleted from")
	}
	if n, err := script(runner(t, rights), 5*time.Second)(t.Context(), "test:r:{route-x}"); err != nil || n != 1 { // limits are counted all the same
		t.Errorf("a limit counts %d, %v", n, err)
	}
}
