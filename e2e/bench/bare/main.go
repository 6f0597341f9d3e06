// Command bare is what Cloakroom is measured beside: httputil.ReverseProxy with one upstream, and nothing else.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"
)

func main() {
	upstream := flag.String("upstream", "", "where requests go, http://host:port")
	flag.Parse()
	if err := serve(*upstream); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve listens on a free port and prints it.
func serve(upstream string) error {
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
	server := &http.Server{
		Handler: &httputil.ReverseProxy{
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() },
			Transport: transport,
		},
		ReadHeaderTimeout: 10 * time.Second,
	}
	return server.Serve(listener)
}
