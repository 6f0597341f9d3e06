package main

import (
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"

	"cloakroom/configs"
)

// newLog writes records as the configuration says: for a person on a terminal, for a machine elsewhere.
// The level may change while the program runs.
func newLog(cfg configs.Log, w io.Writer) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	setLevel(level, cfg)
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "text" || cfg.Format == "auto" && terminal(w) {
		return slog.New(slog.NewTextHandler(w, options)), level
	}
	return slog.New(slog.NewJSONHandler(w, options)), level
}

// setLevel obeys a configuration that was checked, so that an unknown level cannot come; if one did, info would be written.
func setLevel(level *slog.LevelVar, cfg configs.Log) {
	var l slog.Level
	_ = l.UnmarshalText([]byte(cfg.Level))
	level.Set(l)
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
