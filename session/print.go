package session

import (
	"fmt"
	"io"
	"log/slog"
)

// A session is handed from hand to hand with every token in it. The printers and encoders that it may fall into show what
// a log may show: the first characters of its ID. All receivers are values, so that *s is as safe to print as s.

// String names the session as logs do.
func (s Session) String() string { return "session(" + s.id.Short() + ")" }

// Format hides tokens, ticket and claims from every fmt verb, %#v included.
func (s Session) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue hides tokens, ticket and claims from slog.
func (s Session) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides tokens, ticket and claims from JSON and every other encoder.
func (s Session) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Format hides the token from every fmt verb, %#v included.
func (Grant) Format(f fmt.State, _ rune) { io.WriteString(f, hiddenTokens) }

// LogValue hides the token from slog.
func (Grant) LogValue() slog.Value { return slog.StringValue(hiddenTokens) }

// MarshalText hides the token from JSON and every other encoder.
func (Grant) MarshalText() ([]byte, error) { return []byte(hiddenTokens), nil }

const hiddenTokens = "[tokens]"

// Format hides the tokens from every fmt verb, %#v included.
func (Tokens) Format(f fmt.State, _ rune) { io.WriteString(f, hiddenTokens) }

// LogValue hides the tokens from slog.
func (Tokens) LogValue() slog.Value { return slog.StringValue(hiddenTokens) }

// MarshalText hides the tokens from JSON and every other encoder.
func (Tokens) MarshalText() ([]byte, error) { return []byte(hiddenTokens), nil }
