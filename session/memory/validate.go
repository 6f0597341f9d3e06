package memory

import "fmt"

// Validate reports what is wrong with c, key by key.
func (c Config) Validate(report func(key, problem string)) {
	if c.MaxSessions < 1 || c.MaxSessions > 10_000_000 {
		report("max_sessions", fmt.Sprintf("%d is not between 1 and 10000000", c.MaxSessions))
	}
}
