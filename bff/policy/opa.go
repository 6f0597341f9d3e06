package policy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Bounds of an OPAClient.
const (
	maxAnswers      = 10_000 // that are kept
	maxConnections  = 128    // to one agent; who finds none waits, within its timeout
	maxIdle         = 32
	maxAnswerHeader = 16 << 10
)

// OPADeps are what an OPAClient needs of others. All may be nil.
type OPADeps struct {
	// Transport is how agents are reached.
	Transport http.RoundTripper
	// Now is the time.
	Now func() time.Time
	// Observe hears of every question: the Reason of its verdict, empty for an allowance, how long it took, and whether the answer was known already.
	Observe func(reason string, took time.Duration, cached bool)
}

// OPAClient asks Open Policy Agents, and remembers their answers for a moment. It can be used by any number of requests at the same time, and by one configuration after the other.
type OPAClient struct {
	client  *http.Client
	now     func() time.Time
	observe func(reason string, took time.Duration, cached bool)
	known   *lru.Cache[[sha256.Size]byte, known]

	mu      sync.Mutex
	flights map[[sha256.Size]byte]*flight
}

// known is an answer, and until when it holds.
type known struct {
	verdict Verdict
	until   time.Time
}

// flight is a question under way, for all who ask the same.
type flight struct {
	done    chan struct{}
	verdict Verdict
}

// NewOPAClient makes an OPAClient. No proxy of the environment is used, and no redirect followed: the question goes to the configured place or nowhere.
func NewOPAClient(d OPADeps) *OPAClient {
	if d.Transport == nil {
		d.Transport = &http.Transport{
			MaxConnsPerHost: maxConnections, MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: time.Minute,
			MaxResponseHeaderBytes: maxAnswerHeader, DisableCompression: true, ForceAttemptHTTP2: true,
		}
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Observe == nil {
		d.Observe = func(string, time.Duration, bool) {}
	}
	cache, err := lru.New[[sha256.Size]byte, known](maxAnswers)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &OPAClient{
		client: &http.Client{Transport: d.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		now:    d.Now, observe: d.Observe, known: cache, flights: map[[sha256.Size]byte]*flight{},
	}
}

// Close closes the connections that are idle.
func (o *OPAClient) Close() { o.client.CloseIdleConnections() }

// ask is the agent's verdict, of this moment or, as far as g allows, of one just past.
func (o *OPAClient) ask(ctx context.Context, g *agent, in input) Verdict {
	begun := o.now()
	key, ok := g.key(in)
	if !ok {
		return unavailable(errors.New("the question cannot be written as JSON"))
	}
	if g.Cache <= 0 {
		v := o.call(ctx, g, in)
		o.observe(v.Reason, o.now().Sub(begun), false)
		return v
	}
	if k, ok := o.known.Get(key); ok && begun.Before(k.until) {
		o.observe(k.verdict.Reason, 0, true)
		return k.verdict
	}
	v := o.together(ctx, key, g, in)
	o.observe(v.Reason, o.now().Sub(begun), false)
	return v
}

// together asks once for all who want to know the same at this moment. The first one asks, and goes on if its client goes away: others wait. What was not
// answered is not remembered.
func (o *OPAClient) together(ctx context.Context, key [sha256.Size]byte, g *agent, in input) Verdict {
	o.mu.Lock()
	if f, ok := o.flights[key]; ok {
		o.mu.Unlock()
		select {
		case <-f.done:
			return f.verdict
		case <-ctx.Done():
			return unavailable(ctx.Err())
		}
	}
	f := &flight{done: make(chan struct{}), verdict: unavailable(errors.New("the question was not put"))}
	o.flights[key] = f
	o.mu.Unlock()
	defer func() { // also if the transport panics: nobody shall wait for ever
		o.mu.Lock()
		delete(o.flights, key)
		o.mu.Unlock()
		close(f.done)
	}()
	asked := o.now()
	f.verdict = o.call(context.WithoutCancel(ctx), g, in)
	if !f.verdict.Unavailable {
		o.known.Add(key, known{f.verdict, asked.Add(g.Cache)})
	}
	return f.verdict
}

// call puts the question.
func (o *OPAClient) call(ctx context.Context, g *agent, in input) Verdict {
	ctx, cancel := context.WithTimeout(ctx, g.Timeout)
	defer cancel()
	body, err := json.Marshal(map[string]any{"input": in})
	if err != nil {
		return unavailable(errors.New("the question cannot be written as JSON"))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, bytes.NewReader(body))
	if err != nil {
		return unavailable(errors.New("the agent's URL cannot be asked"))
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	if token := g.token.Reveal(); token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := o.client.Do(r)
	if err != nil {
		return unavailable(reached(err))
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return unavailable(reached(err))
	}
	return readAnswer(res.StatusCode, res.Header.Get("Content-Type"), answer)
}

// reached is why the agent was not reached, without its URL.
func reached(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return fmt.Errorf("ask the agent: %w", err)
}
