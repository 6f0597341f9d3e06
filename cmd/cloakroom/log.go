package main

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"

	"cloakroom/configs"
)

// newLog writes records as the configuration says: for a person on a terminal, for a machine elsewhere.
// The configuration is checked, so an unknown level cannot come; if one did, info would be written.
func newLog(cfg configs.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.Level))
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "text" || cfg.Format == "auto" && terminal(w) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
