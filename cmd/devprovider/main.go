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
	defer forget()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process around it. It returns the exit code: 0 fine, 1 failed, 2 bad usage.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("devprovider", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var o options
	flags.StringVar(&o.listen, "listen", "127.0.0.1:9000", "where it is served; loopback only. http://ADDRESS is the issuer")
	flags.StringVar(&o.app, "app", "http://localhost:8080", "server.public_url of the Cloakroom that it serves")
	flags.StringVar(&o.client, "client", "dev", "the client ID")
	flags.StringVar(&o.secretFile, "secret", ".dev/oidc", "the file with the client secret")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return 2
	}
	provider, err := start(o)
	if err != nil {
		fmt.Fprintln(stderr, "devprovider:", err)
		return 1
	}
	fmt.Fprintf(stdout, "provider %s for the app on %s (Ctrl-C stops it)\n", provider.Issuer(), o.app)
	<-ctx.Done()
	if err := provider.Close(); err != nil {
		fmt.Fprintln(stderr, "devprovider:", err)
		return 1
	}
	return 0
}
