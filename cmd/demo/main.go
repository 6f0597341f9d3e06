package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, forget := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		forget() // a second Ctrl-C ends at once
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process around it. It returns the exit code: 0 fine, 1 failed, 2 bad usage.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	listen := flags.String("listen", "localhost:8080", "where the app is served; loopback only, port 0 takes a free one")
	verbose := flags.Bool("verbose", false, "log every request to standard error")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return 2
	}
	address, err := loopback(*listen)
	if err != nil {
		fmt.Fprintln(stderr, "demo:", err)
		return 2
	}
	if err := serve(ctx, address, *verbose, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "demo:", err)
		return 1
	}
	return 0
}
