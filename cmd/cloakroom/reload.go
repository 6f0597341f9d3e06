package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"cloakroom/bff"
	"cloakroom/configs"
)

// A running server reads its configuration again on SIGHUP, and when one of the files that it was made of changes. Contents are
// compared, now and then: unlike the system's notices, that sees links that are swapped, as Kubernetes does, and file systems that notify nobody.
const (
	lookEvery   = time.Second
	settleTime  = 250 * time.Millisecond // between two readings that must be the same
	settleTries = 40
	retryAfter  = 30 * time.Second // where a provider is away
)

// reading is a configuration that was read, or why there is none, with what it depends on.
type reading struct {
	cfg     *configs.Config
	err     error
	watched configs.Watched
	digest  [32]byte
}

// read loads the configuration when nobody is writing it: all that it was made of was the same before and after, and settle ago. The first half of a file may
// well be a configuration, one without the rules of the other half. Files that never come to
// rest are taken as they are. before is what the one before was made of: of one that is wrong, the rest is not known.
func read(ctx context.Context, path string, before configs.Watched, settle time.Duration) (r reading) {
	r.watched = before // most changes are of the same files, and loaded once
	for range settleTries {
		digest := r.watched.Digest()
		select {
		case <-ctx.Done():
			return r
		case <-time.After(settle):
		}
		r = load(path, before)
		if r.digest = r.watched.Digest(); r.digest == digest {
			break
		}
	}
	return r
}

func load(path string, before configs.Watched) reading {
	r := reading{watched: before}
	if r.cfg, r.err = configs.Load(path); r.err == nil {
		r.watched = r.cfg.Watched()
	} else if wrong, ok := errors.AsType[*configs.Errors](r.err); ok {
		r.watched = before.With(wrong)
	}
	return r
}

// switcher is a server as far as its reloader knows it.
type switcher interface {
	Reload(*configs.Config) error
	Invalid(error)
}

// reloader hands the server what its files say.
type reloader struct {
	path   string
	server switcher
	level  *slog.LevelVar
	last   reading
	retry  time.Time // when to try the same again; zero: not
}

// run reloads whenever somebody asks, or something has changed, until ctx ends.
func (r *reloader) run(ctx context.Context, asked <-chan os.Signal) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-asked:
			r.reload(ctx)
		case now := <-look.C:
			if r.last.watched.Digest() != r.last.digest || !r.retry.IsZero() && now.After(r.retry) {
				r.reload(ctx)
			}
		}
	}
}

// reload reads the configuration and switches to it. Whatever is wrong with it is said once, and then not again before something changes.
func (r *reloader) reload(ctx context.Context) {
	next := read(ctx, r.path, r.last.watched, settleTime)
	if ctx.Err() != nil {
		return
	}
	r.last, r.retry = next, time.Time{}
	if next.err != nil {
		r.server.Invalid(next.err)
		return
	}
	switch err := r.server.Reload(next.cfg); {
	case err == nil:
		setLevel(r.level, next.cfg.Server.Log)
	case errors.Is(err, bff.ErrProviderAway):
		r.retry = time.Now().Add(retryAfter)
	case errors.Is(err, bff.ErrNotRunning):
		r.retry = time.Now() // not yet: it would otherwise run what its files do not say any more, and nobody would know
	}
}
