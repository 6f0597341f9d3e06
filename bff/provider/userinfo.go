package provider

import (
	"context"
	"errors"
)

// userinfo asks the userinfo endpoint, if that is configured, for claims about the subject (OpenID Connect Core, section 5.3). Without it there are none.
func (p *Provider) userinfo(ctx context.Context, k *known, access, subject string) (map[string]any, error) {
	if !p.cfg.Userinfo {
		return nil, nil
	}
	body, err := p.getJSON(ctx, k.Userinfo, access)
	if err != nil {
		return nil, p.userinfoError(err)
	}
	claims, err := decodeObject(body)
	if err != nil {
		return nil, refuse(ReasonUserinfo, "not a JSON object with distinct members")
	}
	// The access token may have been swapped for somebody else's (section 5.3.4).
	if claims["sub"] != any(subject) {
		return nil, refuse(ReasonUserinfoSubject, "")
	}
	return claims, nil
}

func (p *Provider) userinfoError(err error) error {
	status, answered := errors.AsType[statusError](err)
	if answered && !broken(int(status)) || unusable(err) {
		return &Refusal{ReasonUserinfo, err}
	}
	return p.unavailable("userinfo", "ask userinfo", err)
}
