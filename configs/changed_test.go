package configs

import (
	"slices"
	"testing"
	"time"

	"cloakroom/configs/secret"
)

func TestChangedNamesTheKeys(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   []string
	}{
		{"nothing", func(*Config) {}, nil},
		{"a value", func(c *Config) { c.Server.Listen = ":1" }, []string{"server.listen"}},
		{"an inline part", func(c *Config) { c.Session.Lifetime = time.Hour }, []string{"session.lifetime"}},
		{"deep down", func(c *Config) { c.Session.Redis.Sentinel.Password = "x" }, []string{"session.redis.sentinel.password"}},
		{"a list of secrets", func(c *Config) { c.Session.Secrets = []secret.String{"x"} }, []string{"session.secrets"}},
		{"routes", func(c *Config) { c.Routes = []Route{{PassCredentials: true}} }, []string{"routes"}},
		{"several", func(c *Config) { c.Server.PublicURL, c.DefaultProvider = "x", "y" }, []string{"server.public_url", "default_provider"}},
	} {
		before, after := Default[Config](), Default[Config]()
		c.change(&after)
		if got := Changed(&before, &after); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
