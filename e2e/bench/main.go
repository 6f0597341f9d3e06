package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	role := ""
	if len(os.Args) > 1 {
		role = os.Args[1]
	}
	var err error
	switch role {
	case "upstream":
		err = upstream()
	case "load":
		err = load(os.Args[2:])
	default:
		err = run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures and prints.
func run() error {
	o := options{}
	flag.IntVar(&o.pairs, "pairs", 12, "interleaved rounds; the median is taken over these")
	flag.IntVar(&o.requests, "requests", 20000, "requests per run")
	flag.IntVar(&o.connections, "connections", 64, "keep-alive connections")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	b, err := start(ctx, o)
	if err != nil {
		return err
	}
	commands, err := b.measure(ctx)
	if closed := b.close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	b.print(os.Stdout, commands)
	return nil
}
