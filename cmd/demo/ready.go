package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"time"
)

// ready returns a channel that is closed once a user can sign in at public: it answers, and readiness says that the
// provider is known. It keeps asking until ctx ends.
func ready(ctx context.Context, public string, admin http.Handler) <-chan struct{} {
	done := make(chan struct{})
	client := &http.Client{Timeout: 2 * time.Second}
	go func() { // ends with ctx at the latest
		again := time.NewTicker(20 * time.Millisecond)
		defer again.Stop()
		for ctx.Err() == nil {
			if isReady(ctx, admin) && answers(ctx, client, public) {
				close(done)
				return
			}
			select {
			case <-again.C:
			case <-ctx.Done():
			}
		}
	}()
	return done
}

// isReady asks for /readyz without a network: the demo has no admin listener.
func isReady(ctx context.Context, admin http.Handler) bool {
	w := httptest.NewRecorder()
	admin.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/readyz", nil))
	return w.Code == http.StatusOK
}

func answers(ctx context.Context, client *http.Client, public string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, public+"/", nil)
	if err != nil {
		return false
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}
