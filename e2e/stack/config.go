package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"
)

// Config is what the tests vary in the replicas' configuration file.
type Config struct {
	PublicURL    string
	Issuer       string
	ClientSecret string
	RedisURL     string
	RedisTimeout time.Duration
	Secrets      []string
	Upstream     string
	IdleTimeout  time.Duration
	Lifetime     time.Duration
	LogLevel     string
	SPADir       string
	// Scopes are asked for beside the usual ones; each begins with ", ".
	Scopes    string
	DevServer string
	// Routes replaces the usual routes. YAML, indented by two spaces.
	Routes string
	// Provider, Session and Server are further keys of their sections. YAML, indented as there.
	Provider, Session, Server string
	// Sections are further sections of the file. YAML.
	Sections string
	// Files are written beside it, by their paths from there, such as teams/orders.yaml.
	Files map[string]string
}

const configuration = `server:
  listen: 127.0.0.1:0
  public_url: {{.PublicURL}}
  admin_listen: 127.0.0.1:0
  shutdown_grace: 10s
  log: {level: {{.LogLevel}}, format: json}
{{.Server}}
providers:
  main:
    issuer: {{.Issuer}}
    client_id: app
    client_secret: {{.ClientSecret}}
    scopes: [openid, profile, email, offline_access{{.Scopes}}]
    roles_claim: groups
{{or .Provider "    timeout: 5s"}}
session:
  store: redis
  redis: {url: "{{.RedisURL}}", timeout: {{.RedisTimeout}}}
  idle_timeout: {{.IdleTimeout}}
  lifetime: {{.Lifetime}}
  secrets: [{{range $i, $s := .Secrets}}{{if $i}}, {{end}}"{{$s}}"{{end}}]
{{.Session}}
{{- if .SPADir}}
spa: {dir: {{.SPADir}}}
{{- end}}
{{- if .DevServer}}
spa: {dev_server: "{{.DevServer}}"}
{{- end}}
routes:
{{.Routes}}
{{.Sections}}
`

// UsualRoutes are an API for signed-in users, one for everybody and one that knows both.
func UsualRoutes(upstream string) string {
	return fmt.Sprintf(`  - path: /api/
    upstream: %[1]s/v1
    strip_prefix: /api
    timeout: 10s
  - path: /public/
    upstream: %[1]s
    auth: none
  - path: /maybe/
    upstream: %[1]s
    auth: optional
  - path: /dead/
    upstream: http://127.0.0.1:1
    auth: none
`, upstream)
}

// Write writes the file and those beside it into dir and returns its path.
func (c Config) Write(dir string) (string, error) {
	if c.RedisTimeout == 0 {
		c.RedisTimeout = time.Second
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = 30 * time.Minute
	}
	if c.Lifetime == 0 {
		c.Lifetime = 12 * time.Hour
	}
	if c.LogLevel == "" {
		c.LogLevel = "debug"
	}
	if c.Routes == "" {
		c.Routes = UsualRoutes(c.Upstream)
	}
	var text strings.Builder
	if err := template.Must(template.New("").Parse(configuration)).Execute(&text, c); err != nil {
		return "", fmt.Errorf("write configuration: %w", err)
	}
	path := filepath.Join(dir, "cloakroom.yaml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		return "", fmt.Errorf("write configuration: %w", err)
	}
	return path, c.writeFiles(dir)
}

func (c Config) writeFiles(dir string) error {
	for name, text := range c.Files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("write configuration: %w", err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return fmt.Errorf("write configuration: %w", err)
		}
	}
	return nil
}
