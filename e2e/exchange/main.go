// Command exchange is a provider that we did not write, with token exchange (RFC 8693): zitadel's, as a process on loopback. It is a module of its own, so that what it
// needs is nothing that the product needs.
//
//	EXCHANGE_ADDRESS    where it listens; it is the issuer, too
//	EXCHANGE_ISSUER     where the others find it, if something stands in front
//	EXCHANGE_CLIENT     the ID of its one client, EXCHANGE_SECRET its secret, EXCHANGE_REDIRECT its redirect URI
//	EXCHANGE_AUDIENCES  what it exchanges for, separated by commas
//
// Users are test-user@localhost and test-user2, their password is verysecure. It prints a line when it is ready, one for each request at the token endpoint, and ends when
// its standard input does.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// policy is the example's storage with rules of exchange that suit the tests.
type policy struct {
	*storage.Storage
	audiences []string
}

// jwtClient gets access tokens whose audience can be read.
type jwtClient struct{ op.Client }

func (jwtClient) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

func (p *policy) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := p.Storage.GetClientByClientID(ctx, id)
	return jwtClient{c}, err
}

// ValidateTokenExchangeRequest lets every user exchange for the known audiences. A resource is passed over, as this provider does by itself.
func (p *policy) ValidateTokenExchangeRequest(_ context.Context, r op.TokenExchangeRequest) error {
	if r.GetRequestedTokenType() == "" {
		r.SetRequestedTokenType(oidc.AccessTokenType)
	}
	for _, a := range r.GetAudience() {
		if !slices.Contains(p.audiences, a) {
			return &oidc.Error{ErrorType: "invalid_target", Description: "unknown audience"}
		}
	}
	return nil
}

func (p *policy) GetPrivateClaimsFromTokenExchangeRequest(_ context.Context, r op.TokenExchangeRequest) (map[string]any, error) {
	return map[string]any{"scope": strings.Join(r.GetScopes(), " "), "act": map[string]any{"sub": r.GetClientID()}}, nil
}

// journal prints what the token endpoint is asked and answers, but no token.
func journal(next http.Handler) http.Handler {
	var mu sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/oauth/token" {
			next.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		form, answer := *r, &status{ResponseWriter: w, code: http.StatusOK}
		form.Body = io.NopCloser(strings.NewReader(string(body)))
		_ = form.ParseForm()
		next.ServeHTTP(answer, r)
		line, _ := json.Marshal(map[string]any{
			"msg": "token", "grant_type": form.PostForm.Get("grant_type"), "audience": form.PostForm.Get("audience"),
			"resource": form.PostForm.Get("resource"), "scope": form.PostForm.Get("scope"), "status": answer.code,
		})
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(string(line))
	})
}

type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

func run() error {
	listener, err := net.Listen("tcp", os.Getenv("EXCHANGE_ADDRESS"))
	if err != nil {
		return err
	}
	issuer := cmp.Or(os.Getenv("EXCHANGE_ISSUER"), "http://"+listener.Addr().String())
	storage.RegisterClients(storage.WebClient(os.Getenv("EXCHANGE_CLIENT"), os.Getenv("EXCHANGE_SECRET"), os.Getenv("EXCHANGE_REDIRECT"))) // before NewStorage, which copies them
	p := &policy{storage.NewStorage(storage.NewUserStore("http://localhost:0")), strings.Split(os.Getenv("EXCHANGE_AUDIENCES"), ",")}
	srv := &http.Server{Handler: journal(exampleop.SetupServer(issuer, p, nil, false, op.WithAllowInsecure())), ReadHeaderTimeout: 10 * time.Second}
	go func() { // ends the server with the test that started it
		io.Copy(io.Discard, os.Stdin)
		srv.Close()
	}()
	fmt.Printf("{\"ready\":true,\"issuer\":%q,\"address\":%q}\n", issuer, listener.Addr())
	if err := srv.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
