package static

// Config says where the single-page app's own files come from.
type Config struct {
	// Dir is the folder of the built app. Its index.html answers every navigation that no file and no route has. Empty: no app is served.
	Dir string `yaml:"dir" default:"" file:"dir"`
	// DevServer is the URL of a development server such as Vite's, proxied instead of `dir`, hot reload included. Loopback only.
	DevServer string `yaml:"dev_server" default:""`
	// CSP is the Content-Security-Policy of the app's pages. Empty: the strict default that allows this origin alone
	// (with dev_server: one that hot reload needs).
	CSP string `yaml:"csp" default:""`
}
