package main

import (
	"context"
	"net/http"
	"time"
)

// answering returns a channel that is closed once a sign-in at public would start: everything listens, and the
// provider is known. It keeps trying until ctx ends.
func answering(ctx context.Context, public string) <-chan struct{} {
	ready := make(chan struct{})
	client := &http.Client{Timeout: 2 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	go func() {
		again := time.NewTicker(20 * time.Millisecond)
		defer again.Stop()
		for ctx.Err() == nil {
			if startsSignIn(ctx, client, public) {
				close(ready)
				return
			}
			select {
			case <-again.C:
			case <-ctx.Done():
			}
		}
	}()
	return ready
}

func startsSignIn(ctx context.Context, client *http.Client, public string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, public+"/bff/login", nil)
	if err != nil {
		return false
	}
	req.Header.Set("Accept", "text/html") // as a navigation does
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusSeeOther
}
