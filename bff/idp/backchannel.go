package idp

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	noticeTimeout  = 5 * time.Second // of one back-channel logout call
	noticeLifetime = 2 * time.Minute // of a logout token, as the specification recommends at most
)

// noticeClient calls clients' back-channel endpoints. It follows no redirects and uses no proxy: the
// token is for the registered URL alone.
func noticeClient() *http.Client {
	return &http.Client{
		Timeout:       noticeTimeout,
		Transport:     &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 1, IdleConnTimeout: noticeTimeout},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// notify tells every client of an ended session, once and without waiting (OpenID Connect Back-Channel Logout 1.0, section 2.5).
func (p *Provider) notify(l login) {
	for _, id := range l.Clients {
		c := p.clients[id]
		if c.BackchannelLogoutURI == "" {
			continue
		}
		p.notices.Go(func() {
			if err := p.sendLogoutToken(c, l); err != nil {
				p.o.Log.Warn("back-channel logout not delivered", "client", c.ID, "error", err)
			}
		})
	}
}

// sendLogoutToken makes one POST with a signed logout token. Its errors name neither the token nor the URL.
func (p *Provider) sendLogoutToken(c Client, l login) error {
	token, err := p.logoutToken(c.ID, l, time.Now())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), noticeTimeout) // the sign-out's own request does not wait for it
	defer cancel()
	form := strings.NewReader(url.Values{"logout_token": {token}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.BackchannelLogoutURI, form)
	if err != nil {
		return fmt.Errorf("make request: bad URL of client %q", c.ID)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := p.client.Do(req)
	if err != nil {
		return fmt.Errorf("client %q was not reached", c.ID)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("client %q answered %d", c.ID, resp.StatusCode)
	}
	return nil
}

// logoutToken is the signed statement that a session ended (section 2.4).
func (p *Provider) logoutToken(audience string, l login, now time.Time) (string, error) {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.key.Key, KeyID: p.key.KeyID}},
		(&jose.SignerOptions{}).WithType("logout+jwt"))
	if err != nil {
		return "", fmt.Errorf("make signer: %w", err)
	}
	return jwt.Signed(signer).Claims(map[string]any{
		"iss": p.o.Issuer, "sub": l.User.Subject, "aud": audience, "sid": l.SID, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(noticeLifetime).Unix(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}).Serialize()
}
