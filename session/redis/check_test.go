package redis_test

import (
	"strings"
	"testing"

	"cloakroom/session/redis"
	"cloakroom/session/storetest"
)

// TestCheck shows which servers may keep sessions, and what the refusal of the others says to do.
func TestCheck(t *testing.T) {
	const rest = "resetchannels ~test:* -@all +ping +select "
	for _, c := range []struct {
		name   string
		args   []string
		rights string
		allow  bool
		says   string // empty: it serves
	}{
		{name: "as it comes"},
		{name: "noeviction, set", args: []string{"--maxmemory", "100mb", "--maxmemory-policy", "noeviction"}},
		{name: "it evicts anything", args: []string{"--maxmemory-policy", "allkeys-lru"}, says: `"allkeys-lru"`},
		{name: "it evicts what expires", args: []string{"--maxmemory-policy", "volatile-ttl"}, says: "set maxmemory-policy noeviction"},
		{name: "it evicts, and may", args: []string{"--maxmemory-policy", "allkeys-lru"}, allow: true},
		{name: "INFO is refused, CONFIG is not", rights: rest + "+hello +config|get"},
		{name: "INFO is refused, CONFIG is not, it evicts", args: []string{"--maxmemory-policy", "allkeys-lfu"}, rights: rest + "+hello +config|get", says: `"allkeys-lfu"`},
		{name: "CONFIG is refused, INFO is not", rights: rest + "+hello +info"},
		{name: "both are refused", rights: rest + "+hello", says: "+info or +config|get"},
		{name: "both are refused, but it may evict", rights: rest + "+hello", allow: true},
		{name: "HELLO is refused as well", rights: rest + "+auth +config|get"},
		{name: "a replica", args: []string{"--replicaof", "127.0.0.1 1"}, says: "point url at the primary"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := storetest.StartRedis(t, c.args...)
			var cfg redis.Config
			if cfg = config(server); c.rights != "" {
				cfg = user(t, server, c.rights)
			}
			cfg.InsecureAllowEviction = c.allow
			err := open(t, cfg).Check(t.Context())
			if c.says == "" && err != nil {
				t.Errorf("check: %v, want none", err)
			}
			if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("check: %v, want an error that says %q", err, c.says)
			}
		})
	}
}
