package main

import (
	"context"
	"errors"
	"io"
	stdlog "log"
	"os"
	"os/signal"
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
finish within server.shutdown_grace, and exits with 0. A second signal ends it at once, with 1.`,
		Args: cobra.NoArgs,
	}
	path := configFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := configs.Load(*path)
		if err != nil {
			return err
		}
		log := newLog(cfg.Server.Log, c.ErrOrStderr())
		// net/http reports what an upstream sent unasked to the standard logger, with the first bytes of it, which may be anything.
		stdlog.SetOutput(io.Discard)
		server, err := bff.New(cfg, bff.Options{Log: log, Version: version()})
		if err != nil {
			return err
		}
		signals := make(chan os.Signal, 2)
		signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
		defer signal.Stop(signals)
		log.Info("starting", "version", version(), "config", *path)
		if err := untilStopped(server.Run, signals); err != nil {
			return failure{err}
		}
		return nil
	}
	return c
}

// untilStopped runs serve until it ends, or a second signal comes. The first one asks it to stop.
func untilStopped(serve func(context.Context, <-chan struct{}) error, signals <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- serve(ctx, stop) }()
	for asked := false; ; asked = true {
		select {
		case err := <-done:
			return err
		case <-signals:
			if asked {
				return errSecondSignal // the process ends now, so nobody waits for serve
			}
			close(stop)
		}
	}
}
