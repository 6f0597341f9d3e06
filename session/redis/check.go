package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// Check reports whether Redis, in a cluster each primary, is reachable, new enough, a primary, and set up so that it evicts nothing.
func (s *Store) Check(ctx context.Context) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	if err := s.client.Ping(ctx).Err(); err != nil {
		return s.outage("ping", err)
	}
	all, err := s.primaries(ctx)
	if err != nil {
		return err
	}
	for _, one := range all {
		f, err := s.facts(ctx, one)
		if err != nil {
			return err
		}
		if err := f.suits(s.evicting); err != nil {
			return err
		}
	}
	return nil
}

// facts are what Redis says about itself. Empty is not known.
type facts struct {
	version string
	role    string
	policy  string
}

// facts asks one server by INFO, or where the ACL refuses that, by what else is allowed.
func (s *Store) facts(ctx context.Context, server *goredis.Client) (facts, error) {
	info, err := server.Info(ctx).Result()
	if err == nil {
		return parseInfo(info), nil
	}
	if !refused(err) {
		return facts{}, s.outage("ask for its settings", err)
	}
	var f facts
	hello, err := server.Do(ctx, "hello").Result()
	if err != nil && !refused(err) {
		return facts{}, s.outage("ask for its version", err)
	}
	if said, ok := hello.(map[any]any); ok {
		f.version, _ = said["version"].(string)
		f.role, _ = said["role"].(string)
	}
	policy, err := server.ConfigGet(ctx, "maxmemory-policy").Result()
	if err != nil && !refused(err) {
		return facts{}, s.outage("ask for its settings", err)
	}
	f.policy = policy["maxmemory-policy"]
	return f, nil
}

// parseInfo picks the facts from INFO's lines.
func parseInfo(info string) facts {
	var f facts
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		switch name {
		case "redis_version":
			f.version = value
		case "role":
			f.role = value
		case "maxmemory_policy":
			f.policy = value
		}
	}
	return f
}

// suits decides. What is not known about version and role shows in the first write; an eviction would show in nothing.
func (f facts) suits(evicting bool) error {
	major, _, _ := strings.Cut(f.version, ".")
	if n, err := strconv.Atoi(major); err == nil && n < 7 {
		return fmt.Errorf("redis: version %q is too old\nuse Redis 7 or newer: sessions are touched by PEXPIREAT with GT", f.version)
	}
	if f.role == "slave" || f.role == "replica" {
		return errors.New("redis: this is a replica, which takes no writes\npoint url at the primary")
	}
	if evicting || f.policy == "noeviction" {
		return nil
	}
	if f.policy == "" {
		return errors.New("redis: it refuses to say whether it evicts keys (INFO and CONFIG GET are not allowed)\n" +
			"allow the user +info or +config|get; or, if you know that maxmemory-policy is noeviction, set insecure_allow_eviction: true")
	}
	return fmt.Errorf("redis: maxmemory-policy is %q: when memory is short it would drop sessions and ended marks\n"+
		"set maxmemory-policy noeviction; or set insecure_allow_eviction: true and accept that", f.policy)
}

// refused tells an answer "you may not", or "I do not know that", from an outage.
func refused(err error) bool {
	var said goredis.Error
	return errors.As(err, &said) && (goredis.HasErrorPrefix(err, "NOPERM") || goredis.HasErrorPrefix(err, "unknown command"))
}
