package e2e

import (
	"testing"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
	"cloakroom/e2e/tokscan"
)

// RPL-06: id_token_hint puts the ID token into a redirect, which is why it is off. Switched on, it is also the proof that the
// scanner looks where it should: this one it must find, and nothing else.
func TestTheScannerFindsTheIDTokenThatIDTokenHintShows(t *testing.T) {
	t.Parallel()
	corpus := tokscan.New()
	s := onOwn(t, stack.Options{Replicas: 1, Corpus: corpus, Configure: func(c *stack.Config) {
		c.Provider = "    id_token_hint: true"
	}})
	b := browse.New(s.PublicURL, &browse.Witness{Corpus: corpus})
	defer b.Close()
	_, err := b.SignIn(s.ctx, "alice", "/public/x")
	s.check(err)
	s.get(b, "/api/x", 200)
	s.check(s.Provider.Confess(s.ctx, corpus))
	s.check(s.Redis.Dump(s.ctx))
	if found := corpus.Scan(); len(found) > 0 {
		t.Fatalf("before the sign-out: %v", found)
	}
	s.fetch(b, "POST", "/bff/logout", 200)
	shown := false
	for _, f := range corpus.Scan() {
		shown = shown || f.Kind == "ID token"
		if f.Where != "POST /bff/logout" || f.Source != tokscan.Answer {
			t.Errorf("also %s", f)
		}
	}
	if !shown {
		t.Error("the scanner did not find the ID token in the sign-out's answer")
	}
}
