package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// tokenLife is how long the demo's access tokens live: short, so that one can watch them being refreshed.
const tokenLife = time.Minute

// api is the sample API: orders, a report for admins, and the inspector. It knows its callers by their access tokens
// alone, and nothing of Cloakroom.
type api struct {
	url     string
	verify  func(ctx context.Context, bearer string) (caller, error)
	orders  *orders
	seen    *inspector
	server  *http.Server
	done    chan error
	stopped chan struct{} // closed when the API stops: streams end
}

// startAPI serves the API on a free port of 127.0.0.1.
func startAPI(issuer string) (*api, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &api{
		url: "http://" + ln.Addr().String(), verify: newVerifier(issuer), orders: newOrders(time.Now()), seen: newInspector(),
		done: make(chan error, 1), stopped: make(chan struct{}),
	}
	a.server = &http.Server{Handler: a.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10}
	go func() { a.done <- a.server.Serve(ln) }()
	return a, nil
}

// close stops the API; streams end, other requests have two seconds.
func (a *api) close() error {
	close(a.stopped)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := a.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, a.server.Close())
	}
	if serve := <-a.done; !errors.Is(serve, http.ErrServerClosed) {
		err = errors.Join(err, serve)
	}
	return err
}

func (a *api) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /orders", a.recorded(a.listOrders))
	mux.Handle("POST /orders", a.recorded(a.createOrder))
	mux.Handle("GET /reports/sales", a.recorded(a.salesReport))
	mux.Handle("GET /inspector", a.known(a.inspect))
	return mux
}

// endpoint is a handler that knows its caller.
type endpoint func(w http.ResponseWriter, r *http.Request, c caller)

// known answers 401 to requests without a valid access token.
func (a *api) known(next endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		c, err := a.verify(r.Context(), bearer)
		if err != nil {
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse(w, http.StatusUnauthorized, "The API wants a valid access token.")
			return
		}
		next(w, r, c)
	})
}

// recorded also shows the request in its caller's inspector.
func (a *api) recorded(next endpoint) http.Handler {
	return a.known(func(w http.ResponseWriter, r *http.Request, c caller) {
		counted := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next(counted, r, c)
		a.seen.record(c.Subject, sighting(r, counted.status, time.Now()))
	})
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (a *api) listOrders(w http.ResponseWriter, _ *http.Request, c caller) {
	all := c.has("support") || c.has("admin")
	answer(w, http.StatusOK, map[string]any{
		"all": all, "may_order": c.has("customer"), "catalogue": catalogue, "orders": a.orders.list(c.Subject, all),
	})
}

func (a *api) createOrder(w http.ResponseWriter, r *http.Request, c caller) {
	if !c.has("customer") {
		refuse(w, http.StatusForbidden, "Only customers place orders. "+c.rolesSay())
		return
	}
	var want struct {
		Item     string `json:"item"`
		Quantity int    `json:"quantity"`
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(&want); err != nil {
		refuse(w, http.StatusBadRequest, "The order is not valid JSON of an item and a quantity.")
		return
	}
	o, ok := a.orders.add(c, want.Item, want.Quantity, time.Now())
	if !ok {
		refuse(w, http.StatusUnprocessableEntity, "Choose an item of the catalogue and a quantity from 1 to 99.")
		return
	}
	answer(w, http.StatusCreated, o)
}

func (a *api) salesReport(w http.ResponseWriter, _ *http.Request, c caller) {
	if !c.has("admin") {
		refuse(w, http.StatusForbidden, "The sales report is for the role admin. "+c.rolesSay())
		return
	}
	count, cents := a.orders.total()
	answer(w, http.StatusOK, map[string]any{"orders": count, "cents": cents})
}

// inspect streams what the API received of its caller, until the token runs out: a stream must not outlive what it
// was allowed by.
func (a *api) inspect(w http.ResponseWriter, r *http.Request, c caller) {
	past, next, stop := a.seen.follow(c.Subject)
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	rc := http.NewResponseController(w)
	if _, err := fmt.Fprint(w, "retry: 1000\n\n"); err != nil {
		return
	}
	send := func(s seen) bool {
		data, err := json.Marshal(s)
		if err != nil {
			return false
		}
		_, err = fmt.Fprintf(w, "event: request\nid: %s\ndata: %s\n\n", s.ID, data)
		return err == nil && rc.Flush() == nil
	}
	for _, s := range past {
		if !send(s) {
			return
		}
	}
	if rc.Flush() != nil {
		return
	}
	expiry := time.NewTimer(time.Until(c.Expires))
	defer expiry.Stop()
	for {
		select {
		case s := <-next:
			if !send(s) {
				return
			}
		case <-expiry.C:
			return
		case <-a.stopped:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// refuse answers with a message for people.
func refuse(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]any{"message": message})
}

func answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"message":"The API failed."}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "private, no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away is not an error
}
