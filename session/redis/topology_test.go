package redis_test

import (
	"testing"
	"time"

	"cloakroom/session/redis"
	"cloakroom/session/storetest"
)

// conforms runs the suite on what cfg leads to.
func conforms(t *testing.T, cfg redis.Config) {
	t.Helper()
	s := open(t, cfg)
	if err := s.Check(t.Context()); err != nil {
		t.Fatalf("check: %v", err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	t.Cleanup(tick.Stop)
	storetest.Run(t, func(*testing.T) storetest.Subject {
		return storetest.Subject{Store: s, Now: time.Now, Short: 50 * time.Millisecond, Pass: func() { <-tick.C }}
	})
}

// sentinels is a configuration that fits what the sentinels watch.
func sentinels(s *storetest.Sentinel) redis.Config {
	return redis.Config{
		Sentinel: redis.Sentinel{Master: s.Master, Addresses: s.Addresses},
		Prefix:   "test", Timeout: 5 * time.Second, PoolSize: 16,
	}
}

// cluster is a configuration that fits the cluster. It names one node; the others have to be found.
func cluster(c *storetest.Cluster) redis.Config {
	return redis.Config{Cluster: c.Addresses()[:1], Prefix: "test", Timeout: 5 * time.Second, PoolSize: 16}
}

// TestSentinelConformance runs the suite on a primary that sentinels watch, with each end on both replicas.
func TestSentinelConformance(t *testing.T) {
	t.Parallel()
	cfg := sentinels(storetest.StartSentinel(t))
	cfg.Wait = 2
	conforms(t, cfg)
}

// TestClusterConformance runs the suite on a cluster of three.
func TestClusterConformance(t *testing.T) {
	t.Parallel()
	conforms(t, cluster(storetest.StartCluster(t, 3, false)))
}
