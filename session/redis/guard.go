package redis

import (
	"context"
	"net"

	goredis "github.com/redis/go-redis/v9"
)

// guard stands before the commands to one server: the breaker, and WAIT behind the writes that want it.
//
// WAIT counts the replicas that have what its own connection has written, so it has to go with the write, in one pipeline; the library routes,
// redirects and repeats the two as one.
type guard struct {
	client  *goredis.Client
	breaker *breaker
}

// durable is a write that waits for replicas.
type durable struct {
	*goredis.Cmd
	wait *goredis.IntCmd
}

// DialHook implements goredis.Hook.
func (g *guard) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook implements goredis.Hook.
func (g *guard) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		if d, ok := cmd.(*durable); ok {
			pair := g.client.Pipeline() // which comes back below
			_ = pair.Process(ctx, d)    // only queues
			_, err := pair.Exec(ctx)
			return err
		}
		if greets(cmd) {
			return next(ctx, cmd)
		}
		return g.breaker.ask(ctx, func() error { return next(ctx, cmd) })
	}
}

// greets tells whether a command is part of making a connection, which the library does amid another command: that is the one to be judged.
func greets(cmd goredis.Cmder) bool {
	switch cmd.Name() {
	case "hello", "auth", "select", "client", "readonly":
		return true
	}
	return false
}

// ProcessPipelineHook implements goredis.Hook.
func (g *guard) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		if greets(cmds[0]) {
			return next(ctx, cmds)
		}
		last := cmds[len(cmds)-1] // behind ASKING, where a cluster moves a slot
		d, ok := last.(*durable)
		if !ok {
			return g.breaker.ask(ctx, func() error { return next(ctx, cmds) })
		}
		err := g.breaker.ask(ctx, func() error { return next(ctx, append(cmds, d.wait)) })
		if d.wait.Err() != nil && d.Err() == nil {
			return nil // the write is there; who reads wait sees that nobody was counted
		}
		return err
	}
}
