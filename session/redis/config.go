package redis

import "time"

// Config says which Redis holds the sessions and how it is used.
type Config struct {
	// URL is where Redis is: redis://[user:password@]host:port/db, or rediss:// for TLS.
	URL string `yaml:"url" default:"redis://localhost:6379/0" secret:"true"`
	// Prefix starts every key, so that two installations can share one Redis. Letters, digits, `-`, `_`, `.`.
	Prefix string `yaml:"prefix" default:"cloakroom"`
	// Timeout bounds each command. Between 10ms and 30s.
	Timeout time.Duration `yaml:"timeout" default:"1s"`
	// PoolSize bounds the connections of this process. Between 1 and 10000.
	PoolSize int `yaml:"pool_size" default:"64"`
	// CA is a file of PEM certificates that sign Redis' TLS certificate, instead of the system's.
	CA string `yaml:"ca" default:"" file:"true"`
	// InsecureAllowEviction starts although Redis may evict keys (maxmemory-policy other than noeviction): users are then signed out at random, and ended marks are lost.
	InsecureAllowEviction bool `yaml:"insecure_allow_eviction" default:"false"`
}
