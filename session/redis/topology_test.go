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

// The rights beyond doc.go's that docs/redis.md lists.
const (
	waitRight       = " +wait"
	clusterRight    = " +cluster|slots"
	sentinelsRights = "resetchannels &+switch-master &+replica-reconf-done -@all +hello +sentinel|get-master-addr-by-name +sentinel|sentinels +subscribe"
)

// TestSentinelConformance runs the suite on a primary that sentinels watch, with each end on both replicas, as users with the least rights on both kinds of server.
// A sentinel that hangs does not matter.
func TestSentinelConformance(t *testing.T) {
	t.Parallel()
	s := storetest.StartSentinel(t)
	cfg := sentinels(s)
	cfg.Wait = 2
	for _, n := range s.Nodes {
		cfg.Username, cfg.Password = allow(t, n, leastRights+waitRight)
	}
	for _, n := range s.Watchers {
		cfg.Sentinel.Username, cfg.Sentinel.Password = allow(t, n, sentinelsRights)
	}
	s.Watchers[0].Freeze(t)
	t.Cleanup(func() { s.Watchers[0].Thaw(t) })
	conforms(t, cfg)
}

// A store that has found the primary through a sentinel leaves it when it hangs, although each of its dials has little time.
func TestSentinelHangs(t *testing.T) {
	t.Parallel()
	s := storetest.StartSentinel(t)
	cfg := sentinels(s)
	cfg.Timeout = time.Second
	st := open(t, cfg)
	for _, w := range s.Watchers[:2] { // whichever it has taken: one of them in two of three runs, and each in turn
		if err := st.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.Freeze(t)
		if err := administrator(t, s.Nodes[0]).Do(t.Context(), "client", "kill", "type", "normal", "skipme", "yes").Err(); err != nil {
			t.Fatal(err)
		}
		storetest.Eventually(t, 5*time.Second, "dials again", func() bool { return st.Check(t.Context()) == nil })
		w.Thaw(t)
	}
}

// TestClusterConformance runs the suite on a cluster of three, as the user with the least rights.
func TestClusterConformance(t *testing.T) {
	t.Parallel()
	c := storetest.StartCluster(t, 3, false)
	cfg := cluster(c)
	for _, n := range c.Nodes {
		cfg.Username, cfg.Password = allow(t, n, leastRights)
	}
	if err := open(t, cfg).Check(t.Context()); err == nil {
		t.Errorf("%s is not needed", clusterRight)
	}
	for _, n := range c.Nodes {
		cfg.Username, cfg.Password = allow(t, n, leastRights+clusterRight)
	}
	conforms(t, cfg)
}
