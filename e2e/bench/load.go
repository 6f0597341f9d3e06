package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// loaded is what one run of the load generator did.
type loaded struct {
	Requests int     `json:"requests"`
	Seconds  float64 `json:"seconds"`
}

// load sends requests over keep-alive connections and fails on the first answer that is not the right one. The ticket comes
// from the environment, because arguments can be read by everybody on the machine.
func load(args []string) error {
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	target := flags.String("url", "", "what to get")
	host := flags.String("host", "", "the Host to ask for")
	requests := flags.Int("requests", 1000, "how many")
	want := flags.String("want", answer, "the right answer")
	connections := flags.Int("connections", 64, "over how many connections")
	_ = flags.Parse(args) // exits itself
	u, err := url.Parse(*target)
	if err != nil {
		return fmt.Errorf("parse url: %w", err)
	}
	header := http.Header{"Accept": {"application/json"}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}}
	if cookie := os.Getenv("BENCH_COOKIE"); cookie != "" {
		header.Set("Cookie", cookie)
	}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		MaxConnsPerHost: *connections, MaxIdleConnsPerHost: *connections, DisableCompression: true,
	}}
	var left atomic.Int64
	left.Store(int64(*requests))
	failures := make(chan error, *connections)
	began := time.Now()
	var wg sync.WaitGroup
	for range *connections {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := get(client, *want, &http.Request{Method: http.MethodGet, URL: u, Host: *host, Header: header}); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failures:
		return err
	default:
	}
	return json.NewEncoder(os.Stdout).Encode(loaded{*requests, time.Since(began).Seconds()})
}

func get(client *http.Client, want string, req *http.Request) error {
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	if res.StatusCode != http.StatusOK || string(body) != want {
		return fmt.Errorf("load: %s instead of the right answer: %.200s", res.Status, body)
	}
	return nil
}
