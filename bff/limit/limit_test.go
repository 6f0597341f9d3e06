package limit_test

import (
	"net/netip"
	"reflect"
	"strconv"
	"testing"
	"time"

	"cloakroom/bff/limit"
)

// settings are the defaults that stand in the tags, which the loader fills in.
func settings() limit.Config {
	cfg := limit.Config{Timeout: 100 * time.Millisecond, Replicas: 1}
	for _, fixed := range []any{&cfg.Login, &cfg.Callback, &cfg.Backchannel, &cfg.Callers} {
		v := reflect.ValueOf(fixed).Elem()
		rate, _ := v.Type().FieldByName("Rate")
		burst, _ := v.Type().FieldByName("Burst")
		n, _ := strconv.Atoi(burst.Tag.Get("default"))
		v.FieldByName("Rate").SetString(rate.Tag.Get("default"))
		v.FieldByName("Burst").SetInt(int64(n))
		v.FieldByName("Fixed").Set(reflect.ValueOf(limit.Fixed{Per: "ip", Outage: "local"}))
	}
	return cfg
}

// limiter makes one.
func limiter(t testing.TB, cfg limit.Config, d limit.Deps) *limit.Limiter {
	t.Helper()
	l, err := limit.New(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// compile makes the limits of a route.
func compile(t testing.TB, l *limit.Limiter, route string, limits ...limit.Limit) *limit.Set {
	t.Helper()
	s, err := l.Compile(route, limits)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// inMemory makes the limits of a route that are counted in memory.
func inMemory(t testing.TB, limits ...limit.Limit) *limit.Set {
	t.Helper()
	return compile(t, limiter(t, settings(), limit.Deps{}), "/api/", limits...)
}

// ask makes n requests, one after the other, and says how many were allowed.
func ask(t testing.TB, s *limit.Set, who limit.Who, n int) (allowed int) {
	t.Helper()
	for range n {
		v, done := s.Take(t.Context(), who)
		done()
		if v.Allow {
			allowed++
		}
	}
	return allowed
}

func user(name string) limit.Who {
	return limit.Who{User: limit.User("https://id.test", name), Session: "session of " + name, Client: netip.MustParseAddr("192.0.2.1")}
}

func from(address string) limit.Who { return limit.Who{Client: netip.MustParseAddr(address)} }
