package provider

import "context"

// Discover asks the provider once for its metadata, as Run does again and again, and judges them. It keeps nothing.
func (p *Provider) Discover(ctx context.Context) error {
	_, err := p.discover(ctx)
	return err
}

// Shown is what a session keeps of a user with these claims: those that the browser may see, and the roles. The reason, if there is one, is
// that of a refused sign-in.
func (c Config) Shown(claims map[string]any) (shown map[string]any, roles []string, reason string) {
	s, reason := c.selectClaims(claims, nil)
	return s.shown, s.roles, reason
}

// Granted are the scopes of a user with these claims, for whom the token endpoint granted scope; empty: it did not say.
func (c Config) Granted(claims map[string]any, scope string) []string {
	s, _ := c.selectClaims(claims, nil)
	if s.scopes != nil {
		return s.scopes
	}
	return c.granted(scope, c.Scopes)
}
