package storetest

import (
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Cluster is a Redis Cluster on loopback. It ends with the test.
type Cluster struct {
	// Nodes are first the primaries, then the replicas, one of each primary, if there are any.
	Nodes []*Redis
	// Primaries is how many of them are primaries at the start.
	Primaries int
}

// slots is how many there are in a cluster.
const slots = 16384

// StartCluster starts a cluster whose primaries have a replica each, or none, and returns when it serves and the replicas have all that their primaries have.
// A primary that gives no answer for a second is replaced. args are further arguments of each.
func StartCluster(t testing.TB, primaries int, replicated bool, args ...string) *Cluster {
	t.Helper()
	c := &Cluster{Primaries: primaries}
	count := primaries
	if replicated {
		count *= 2
	}
	for range count {
		c.Nodes = append(c.Nodes, startNode(t, args))
	}
	for i, n := range c.Nodes {
		c.do(t, n, "cluster", "set-config-epoch", i+1)
		if i < primaries {
			c.do(t, n, "cluster", "addslotsrange", slots*i/primaries, slots*(i+1)/primaries-1)
		}
		host, port, _ := net.SplitHostPort(c.Nodes[0].Addr)
		if i > 0 {
			c.do(t, n, "cluster", "meet", host, port, c.Nodes[0].bus)
		}
	}
	c.all(t, "cluster_known_nodes:"+strconv.Itoa(count))
	for i, n := range c.Nodes[primaries:] {
		id, err := c.Nodes[i].client(t).Do(t.Context(), "cluster", "myid").Text()
		if err != nil {
			t.Fatalf("ask for a node's name: %v", err)
		}
		c.do(t, n, "cluster", "replicate", id)
	}
	c.all(t, "cluster_state:ok")
	c.all(t, "cluster_slots_ok:"+strconv.Itoa(slots))
	c.all(t, "cluster_size:"+strconv.Itoa(primaries))
	if replicated {
		for _, n := range c.Nodes[primaries:] {
			Eventually(t, 30*time.Second, "replica follows", func() bool { return n.info(t, "replication")["master_link_status"] == "up" })
		}
	}
	return c
}

// startNode starts one node of no cluster yet.
func startNode(t testing.TB, args []string) *Redis {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("no redis-server on PATH; install it: apt-get install -y --no-install-recommends redis-server redis-tools")
	}
	var bus string
	r := start(t, "Ready to accept connections", func(host, port string) *exec.Cmd {
		if _, bus, err = free(); err != nil {
			t.Fatal(err)
		}
		base := []string{"--bind", host, "--port", port, "--dir", t.TempDir(), "--save", "", "--appendonly", "no",
			"--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0"}
		return exec.Command(path, append(base, args...)...)
	})
	r.bus = bus
	return r
}

// do makes an administrator's command on one node.
func (c *Cluster) do(t testing.TB, n *Redis, args ...any) {
	t.Helper()
	if err := n.client(t).Do(t.Context(), args...).Err(); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
}

// all waits until every node says this of the cluster.
func (c *Cluster) all(t testing.TB, want string) {
	t.Helper()
	for _, n := range c.Nodes {
		Eventually(t, 30*time.Second, "node says "+want, func() bool {
			text, err := n.client(t).ClusterInfo(t.Context()).Result()
			return err == nil && strings.Contains(text, want+"\r\n")
		})
	}
}

// Addresses are those of all nodes.
func (c *Cluster) Addresses() []string {
	var all []string
	for _, n := range c.Nodes {
		all = append(all, n.Addr)
	}
	return all
}

// Replica is the replica that primary i has at the start.
func (c *Cluster) Replica(i int) *Redis { return c.Nodes[c.Primaries+i] }

// IsPrimary tells whether a node takes writes now.
func (c *Cluster) IsPrimary(t testing.TB, n *Redis) bool {
	t.Helper()
	return n.info(t, "replication")["role"] == "master"
}
