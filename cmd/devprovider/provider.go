package main

import (
	"fmt"
	"os"
	"strings"

	"cloakroom/bff/idp"
)

// options are what the flags say.
type options struct{ listen, app, client, secretFile string }

// start serves the provider for one client, with the URLs that Cloakroom has under the app's origin.
func start(o options) (*idp.Server, error) {
	secret, err := os.ReadFile(o.secretFile)
	if err != nil {
		return nil, fmt.Errorf("--secret: %w\nmake one: openssl rand -base64 32 > %s", err, o.secretFile)
	}
	app := strings.TrimSuffix(o.app, "/")
	return idp.Start(o.listen, idp.Options{Clients: []idp.Client{{
		ID:                     o.client,
		Secret:                 strings.TrimRight(string(secret), "\r\n"), // as Cloakroom's ${file:…} reads it
		Name:                   app,
		RedirectURIs:           []string{app + "/bff/callback"},
		PostLogoutRedirectURIs: []string{app + "/bff/logout"},
		BackchannelLogoutURI:   app + "/bff/backchannel",
	}}})
}
