package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
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

// part is one of the measurements.
type part struct {
	name string
	run  func(*bench, context.Context, io.Writer) error
}

// parts are all of them, in the order in which they run.
func parts() []part {
	return []part{
		{"bare", (*bench).besideBare},
		{"sessions", (*bench).moreSessions},
		{"routes", (*bench).moreRoutes},
		{"rules", (*bench).moreRules},
		{"manyrules", (*bench).manyRules},
		{"compose", (*bench).composed},
		{"memory", (*bench).copyMemory},
		{"start", (*bench).firstAnswer},
		{"reload", (*bench).reload},
	}
}

// run measures and prints.
func run() error {
	o := options{}
	flag.IntVar(&o.pairs, "pairs", 12, "interleaved rounds; the median is taken over these")
	flag.IntVar(&o.requests, "requests", 20000, "requests per run")
	flag.IntVar(&o.connections, "connections", 64, "keep-alive connections")
	flag.IntVar(&o.sessions, "sessions", 100_000, "sessions in Redis beside which 1000 are measured; 1000000 take 4 GB and a minute or two")
	flag.IntVar(&o.routes, "routes", 1000, "routes beside which one is measured")
	flag.StringVar(&o.against, "against", "", "another build of cloakroom, to be measured beside this one")
	only := flag.String("only", "", "the parts to run, separated by commas: bare, sessions, routes, rules, manyrules, compose, memory, start, reload")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	fmt.Printf("%d interleaved rounds of %d requests, %d keep-alive connections\n", o.pairs, o.requests, o.connections)
	for _, p := range parts() {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), p.name) {
			continue
		}
		if err := alone(ctx, o, p); err != nil {
			return err
		}
	}
	return nil
}

// alone runs one part in an installation of its own, so that no replica of another part is running beside it.
func alone(ctx context.Context, o options, p part) error {
	b, err := start(ctx, o)
	if err != nil {
		return err
	}
	fmt.Println()
	return errors.Join(p.run(b, ctx, os.Stdout), b.close())
}
