package redis

import (
	"time"

	"cloakroom/configs/secret"
)

// Config says which Redis holds the sessions and how it is used: one server by url, or what sentinels watch, or a cluster.
type Config struct {
	// URL is where one Redis is: redis://[user:password@]host:port/db, or rediss:// for TLS. Where neither sentinel nor cluster is set,
	// redis://localhost:6379/0.
	URL string `yaml:"url" default:"" secret:"true"`
	// Sentinel is for a primary that sentinels watch and replace, in the place of url.
	Sentinel Sentinel `yaml:"sentinel"`
	// Cluster lists host:port of some nodes of a Redis Cluster, in the place of url; the others are found through them.
	Cluster []string `yaml:"cluster" default:"[]"`
	// Username is the ACL user's name, if the URL has none.
	Username string `yaml:"username" default:""`
	// Password is the ACL user's, or what requirepass says, if the URL has none.
	Password secret.String `yaml:"password" default:""`
	// TLS speaks TLS to sentinels and Redis, or to the cluster. A url says it by rediss://.
	TLS bool `yaml:"tls" default:"false"`
	// CA is a file of PEM certificates that sign Redis' TLS certificate, instead of the system's.
	CA string `yaml:"ca" default:"" file:"true"`
	// Cert is a file with the PEM certificate, and what it hangs on, by which Redis knows us (tls-auth-clients). Read anew for each connection.
	Cert string `yaml:"cert" default:"" file:"true"`
	// Key is the file with the PEM key of cert.
	Key string `yaml:"key" default:"" file:"true"`
	// Wait is how many replicas must have the end of a session, the result of a refresh and the index entry of a sign-in. Where fewer have it within
	// a quarter of the timeout, the sign-out, back-channel logout or sign-in answers 503 and can be tried again; a refresh goes on and is logged.
	// 0 waits for none: a failover may undo the last moments. At most 8.
	Wait int `yaml:"wait" default:"0"`
	// Prefix starts every key, so that two installations can share one Redis. Letters, digits, `-`, `_`, `.`.
	Prefix string `yaml:"prefix" default:"cloakroom"`
	// Timeout bounds each command. Between 10ms and 30s.
	Timeout time.Duration `yaml:"timeout" default:"1s"`
	// PoolSize bounds the connections of this process, in a cluster to each of its primaries. Between 1 and 10000. Rate limits have a quarter as many besides.
	PoolSize int `yaml:"pool_size" default:"64"`
	// InsecureAllowEviction starts although Redis may evict keys (maxmemory-policy other than noeviction): users are then signed out at random, and ended marks are lost.
	InsecureAllowEviction bool `yaml:"insecure_allow_eviction" default:"false"`
}

// Sentinel says who knows where the primary is.
type Sentinel struct {
	// Master is the name under which the sentinels watch the primary.
	Master string `yaml:"master" default:""`
	// Addresses are host:port of some of the sentinels; the others are found through them.
	Addresses []string `yaml:"addresses" default:"[]"`
	// Username is the ACL user's name at the sentinels, not at Redis.
	Username string `yaml:"username" default:""`
	// Password is the one of the sentinels, not of Redis.
	Password secret.String `yaml:"password" default:""`
}
