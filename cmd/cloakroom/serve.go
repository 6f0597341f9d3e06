package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"cloakroom/bff"
	"cloakroom/configs"
)

// errSecondSignal ends the process while requests may still be running.
var errSecondSignal = errors.New("ended at once by a second signal")

func serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server until SIGTERM or SIGINT: it then says that it is not ready, lets requests in flight
finish within server.shutdown_grace, and exits with 0. A second signal ends it at once, with 1.

SIGHUP, or a change of a file that the configuration is made of, reloads it: all of it, or nothing if something is
wrong with it, which the log then says.`,
		Args: none,
	}
	path := configFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGHUP) // from the beginning: by itself it would end the process
		defer signal.Stop(asked)
		if err := rereadable(*path); err != nil {
			return err
		}
		first := read(c.Context(), *path, configs.WatchedFile(*path), 0)
		if first.err != nil {
			return first.err
		}
		log, level := newLog(first.cfg.Server.Log, c.ErrOrStderr())
		// net/http reports what an upstream sent unasked to the standard logger, with the first bytes of it, which may be anything.
		stdlog.SetOutput(io.Discard)
		server, err := bff.New(first.cfg, bff.Options{Log: log, Version: version()})
		if err != nil {
			return err
		}
		signals := make(chan os.Signal, 2)
		signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
		defer signal.Stop(signals)
		log.Info("starting", "version", version(), "config", *path)
		r := &reloader{path: *path, server: server, level: level, last: first}
		if err := untilStopped(server.Run, signals, func(ctx context.Context) { r.run(ctx, asked) }); err != nil {
			return failure{err}
		}
		return nil
	}
	return c
}

// untilStopped runs serve until it ends, or a second signal comes. The first one asks it to stop. beside runs as long as nobody has.
func untilStopped(serve func(context.Context, <-chan struct{}) error, signals <-chan os.Signal, beside func(context.Context)) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	besides, enough := context.WithCancel(ctx)
	var ended sync.WaitGroup
	ended.Go(func() { beside(besides) })
	defer enough()
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- serve(ctx, stop) }()
	for asked := false; ; asked = true {
		select {
		case err := <-done:
			enough()
			ended.Wait()
			return err
		case <-signals:
			if asked {
				return errSecondSignal // the process ends now, so nobody waits for the two
			}
			close(stop)
			enough() // no reload during the drain
		}
	}
}

// rereadable refuses what holds a configuration once, such as a pipe: it is read several times before the start, and again for a reload.
func rereadable(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Mode().IsRegular() || info.IsDir() {
		return nil // whoever reads it says what is wrong
	}
	return fmt.Errorf("read configuration: %s is no regular file, and a server reads it more than once\nwrite it to a file; check, explain and test read a pipe, too", path)
}
