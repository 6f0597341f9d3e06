// Command bare is what Cloakroom is measured beside: httputil.ReverseProxy with one upstream, and nothing else. With
// -pool it reuses its copy buffers, which is the one cheap thing that a bare proxy can do to cost less.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"time"
)

func main() {
	upstream := flag.String("upstream", "", "where requests go, http://host:port")
	pool := flag.Bool("pool", false, "reuse the copy buffers")
	flag.Parse()
	if err := serve(*upstream, *pool); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve listens on a free port and prints it.
func serve(upstream string, pool bool) error {
	target, err := url.Parse(upstream)
	if err != nil {
		return fmt.Errorf("parse upstream: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Printf(`{"msg":"listening","address":%q}`+"\n", listener.Addr())
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256 // two, the default, would make it dial all the time
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() },
		Transport: transport,
	}
	if pool {
		proxy.BufferPool = &buffers{}
	}
	server := &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(listener)
}

// buffers is the pool that httputil leaves to its users.
type buffers struct{ pool sync.Pool }

// Get returns a buffer of the size that httputil itself would make.
func (b *buffers) Get() []byte {
	if buf, ok := b.pool.Get().(*[]byte); ok {
		return *buf
	}
	return make([]byte, 32<<10)
}

// Put takes a buffer back.
func (b *buffers) Put(buf []byte) { b.pool.Put(&buf) }
