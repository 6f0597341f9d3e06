// Package secret holds a string that refuses to be printed.
//
// A client secret or a session key is read once from the configuration and then handed from
// hand to hand until somebody needs its bytes. On the way it must not fall into a log line, an
// error or a debug page, so the type itself answers "[secret]" to every printer and encoder.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

const hidden = "[secret]"

// String is a string that refuses to be printed. Its zero value is "no secret".
type String string

// Format hides the value from every fmt verb, %#v included.
func (String) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// MarshalText hides the value from JSON, YAML and every other encoder.
func (String) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides the value from slog.
func (String) LogValue() slog.Value { return slog.StringValue(hidden) }

// Reveal returns the value. Call it where the bytes are used, not earlier.
func (s String) Reveal() string { return string(s) }
