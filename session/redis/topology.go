package redis

import (
	"context"
	"fmt"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// stale is how long a cluster's client believes that it knows who is primary. A server that died tells nobody that it was replaced.
const stale = time.Second

// connect makes a client for one server, for what sentinels watch, or for a cluster. It does not dial. Commands only ever go to primaries. prepare is
// called with the client of each server, before its first use.
func connect(opt *goredis.UniversalOptions, prepare func(*goredis.Client)) goredis.UniversalClient {
	if opt.IsClusterMode {
		return clustered(opt, prepare)
	}
	var c *goredis.Client
	if opt.MasterName != "" {
		c = sentinelled(opt)
	} else {
		c = goredis.NewClient(opt.Simple())
	}
	prepare(c)
	return c
}

// sentinelled follows the primary that the sentinels name.
//
// The library stays with one sentinel and leaves it only for an error that comes while there is time: one that hangs, since its machine died together with the
// primary, would use up each dial's time and never be left. So sentinels have a small part of the time, and one try. The library
// has one set of options for them and for Redis; those of Redis are set again before anything uses them.
func sentinelled(opt *goredis.UniversalOptions) *goredis.Client {
	hasty := opt.Failover()
	hasty.MaxRetries = -1
	hasty.ReadTimeout = opt.DialTimeout / 8
	hasty.DialTimeout = opt.DialTimeout / 4 // of a sentinel; Redis' own dial has what is left of the command's time
	c := goredis.NewFailoverClient(hasty)
	own := c.Options()
	own.DialTimeout, own.ReadTimeout = opt.DialTimeout, opt.ReadTimeout
	own.MaxRetries = retries(opt)
	own.MaintNotificationsConfig = opt.MaintNotificationsConfig
	return c
}

// retries are how often a command is sent again, as the library defines them by itself.
func retries(opt *goredis.UniversalOptions) int {
	switch opt.MaxRetries {
	case 0:
		return 3
	case -1:
		return 0
	}
	return opt.MaxRetries
}

// clustered asks each key's primary.
func clustered(opt *goredis.UniversalOptions, prepare func(*goredis.Client)) *goredis.ClusterClient {
	of := opt.Cluster()
	of.MaxRedirects, of.MaxRetries = opt.MaxRetries, -1 // one layer repeats: the one that knows where to
	of.DisableRoutingPolicies = true                    // they would ask for COMMAND, and no command of ours needs them
	of.ClusterStateReloadInterval = stale
	of.NewClient = func(node *goredis.Options) *goredis.Client {
		c := goredis.NewClient(node)
		prepare(c)
		return c
	}
	return goredis.NewClusterClient(of)
}

// primaries are the clients of all servers that take writes, by address: one, or those of a cluster as it says now. They are the Store's to close.
//
// Whoever subscribes to announcements does it on each of them, and asks again from time to time: a failover changes them. Behind
// sentinels it is the same client for ever, whose connections break when the primary changes.
func (s *Store) primaries(ctx context.Context) (map[string]*goredis.Client, error) {
	switch c := s.client.(type) {
	case *goredis.Client:
		return map[string]*goredis.Client{c.Options().Addr: c}, nil
	case *goredis.ClusterClient:
		var mu sync.Mutex // ForEachMaster calls from several goroutines
		all := map[string]*goredis.Client{}
		err := c.ForEachMaster(ctx, func(_ context.Context, one *goredis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			all[one.Options().Addr] = one
			return nil
		})
		if err == nil && len(all) == 0 {
			err = errTopology
		}
		if err != nil {
			return nil, s.outage("list primaries", err)
		}
		return all, nil
	default:
		return nil, fmt.Errorf("redis: client of type %T", s.client)
	}
}
