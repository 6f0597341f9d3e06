package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const answer = `{"items":[{"id":1,"total":"12.50"},{"id":2,"total":"8.00"}],"next":null}`

// turned answers what the reload part asks. Below /free a request has no token, below /guarded it has one: any other was judged by one configuration and sent by another.
func turned(w http.ResponseWriter, r *http.Request) bool {
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch bearer := r.Header.Get("Authorization") != ""; {
	case name != "free" && name != "guarded":
		return false
	case bearer != (name == "guarded"):
		http.Error(w, "mixed", http.StatusTeapot)
	default:
		_, _ = io.WriteString(w, name)
	}
	return true
}

// upstream answers a small JSON document until its standard input ends, that is until the bench does.
func upstream() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Printf(`{"msg":"listening","address":%q}`+"\n", listener.Addr())
	server := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if turned(w, r) {
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
			_, _ = io.WriteString(w, answer)
		}),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
	err = server.Close()
	<-served
	return err
}
