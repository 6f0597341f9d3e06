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
	return selectClaims(claims, nil, c.Claims, c.RolesClaim)
}
