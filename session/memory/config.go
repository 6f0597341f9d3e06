package memory

// Config bounds the in-process store.
type Config struct {
	// MaxSessions is the largest number of sessions; a further sign-in is refused with 503. Between 1 and 10000000.
	MaxSessions int `yaml:"max_sessions" default:"10000"`
}
