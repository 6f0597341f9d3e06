package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// A shell's <(…) gives its content once. A server would find nothing in it at its next reading, and say that everything is missing.
func TestAServerTakesNoConfigurationFromAPipe(t *testing.T) {
	for command, code := range map[string]int{"serve": 2, "check": 0} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := io.WriteString(w, strings.Replace(minimal, "session: {", "session: {store: memory, ", 1)); err != nil {
			t.Fatal(err)
		}
		w.Close()
		var out bytes.Buffer
		if got := run([]string{command, "--config", fmt.Sprintf("/dev/fd/%d", r.Fd())}, &out, &out); got != code || (command == "serve") != strings.Contains(out.String(), "is no regular file") {
			t.Errorf("%s: exit code %d, want %d\n%s", command, got, code, &out)
		}
	}
}
