package configs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const canary = "kJ8vN2mQ5xR7tY1zPw3C"

const good = `server:
  public_url: https://app.example.com
providers:
  main:
    issuer: https://id.example.com
    client_id: spa
    client_secret: kJ8vN2mQ5xR7tY1zPw3C
session:
  redis: {url: "redis://:kJ8vN2mQ5xR7tY1zPw3C@redis:6379/0"}
  secrets:
    - Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta
    - kJ8vN2mQ5xR7tY1zPw3C-Xn2Rk7Yc5Hs9
routes:
  - path: /api/
    upstream: http://orders:9001
`

func TestValuesArriveWhereTheyBelong(t *testing.T) {
	cfg, err := parse("dir/cloakroom.yaml", []byte(strings.NewReplacer(
		"client_id: spa", `client_id: "a$${b}-${env:PORT}"`,
		"redis: {", `redis: {pool_size: "${env:POOL}", timeout: "250ms", `,
		"public_url: https", "max_header: 32KiB\n  shutdown_grace: 1m30s\n  public_url: https",
		"session:\n", "session:\n  cookie: {persist: \"${env:FLAG}\"}\n",
	).Replace(good)), broken())
	if err != nil {
		t.Fatal(err)
	}
	main := cfg.Providers["main"]
	for what, ok := range map[string]bool{
		"an escaped ${ stays, an environment variable is put in": main.ClientID == "a${b}-8080",
		"a number comes from the environment":                    cfg.Session.Redis.PoolSize == 12,
		"a boolean comes from the environment":                   cfg.Session.Cookie.Persist,
		"a duration is read":                                     cfg.Session.Redis.Timeout == 250*time.Millisecond,
		"a size is read":                                         cfg.Server.MaxHeader == 32<<10,
		"a default holds where the file says nothing":            main.ClockSkew == time.Minute && cfg.Routes[0].Timeout == 30*time.Second,
		"lists have their defaults":                              len(main.Scopes) == 3 && main.Scopes[0] == "openid",
		"inline keys are read":                                   len(cfg.Session.Secrets) == 2,
		"a secret arrives":                                       main.ClientSecret.Reveal() == canary,
	} {
		if !ok {
			t.Errorf("not so: %s\n%+v", what, cfg)
		}
	}
}

func TestFilesAreRelativeToTheConfigurationAndLoseOneLineBreak(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("id", "\ufeff${env:HOME} spa\r\n")
	write("ca.pem", string(someCertificate(t)))
	write("cloakroom.yaml", strings.Replace(good, "client_id: spa", "client_id: ${file:id}\n    ca: ca.pem", 1))
	cfg, err := Load(filepath.Join(dir, "cloakroom.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Providers["main"].ClientID; got != "${env:HOME} spa" {
		t.Errorf("client_id = %q", got)
	}
	if got := cfg.Providers["main"].CA; got != filepath.Join(dir, "ca.pem") {
		t.Errorf("ca = %q", got)
	}
}

func TestEndlessAndHugeFilesAreRefused(t *testing.T) {
	for name, path := range map[string]string{"a device": "/dev/zero", "a folder": "/"} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("cloakroom.yaml", []byte(strings.Replace(good, "client_id: spa", "client_id: ${file:"+path+"}", 1)), os.LookupEnv)
			if err == nil || !strings.Contains(err.Error(), "is not a regular file") {
				t.Errorf("got %v", err)
			}
		})
	}
	_, err := Parse("cloakroom.yaml", make([]byte, maxFile+1), os.LookupEnv)
	if err == nil || !strings.Contains(err.Error(), "is larger than") {
		t.Errorf("got %v", err)
	}
}

func TestAMissingConfigurationSaysWhatToDo(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "nowhere.yaml"))
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "--config") {
		t.Errorf("got %v", err)
	}
}

func TestWindowsLineEndsAndAByteOrderMarkAreFine(t *testing.T) {
	if _, err := parse("c.yaml", []byte("\ufeff"+strings.ReplaceAll(good, "\n", "\r\n")), broken()); err != nil {
		t.Error(err)
	}
}

func TestTheListOfMistakesIsBounded(t *testing.T) {
	_, err := parse("c.yaml", []byte(good+strings.Repeat("x: 1\n", 5000)), broken())
	list, ok := errors.AsType[*Errors](err)
	if !ok || len(list.Mistakes) != maxMistakes {
		t.Errorf("got %d mistakes", len(list.Mistakes))
	}
}

// FuzzParse breaks a good file in one place with anything. Whatever the answer is, it comes without a panic and holds no secret.
func FuzzParse(f *testing.F) {
	lines := strings.Count(good, "\n")
	for i := range lines + 1 {
		f.Add(uint(i), "  zebra: 1\n")
	}
	for _, junk := range []string{"", "\t", "x: [", "x: {", "'", `"`, "- ", "  - a\n", "a: &a\n", "*a: 1\n", "? ", "!!binary ", "%YAML 1.2\n---\n", "...\n", "---\n", "#", "<<: ", "\x00", "\xff",
		"${", "${env:CANARY}", "client_secret:\n", "    issuer: ${env:CANARY}\n", "    ca: ${env:CANARY}\n", "  store: ${env:CANARY}\n", "${file:secrets/oidc}", strings.Repeat("[", 100), "x: 日本\n", "\u2028"} {
		f.Add(uint(4), junk)
		f.Add(uint(6), junk)
		f.Add(uint(10), junk)
	}
	f.Fuzz(func(t *testing.T, line uint, junk string) {
		if strings.ContainsAny(junk, "|>") || strings.Contains(canary, junk) && junk != "" {
			return // a block of text may swallow the lines below into a value that is not secret
		}
		parts := strings.SplitAfter(good, "\n")
		at := int(line % uint(len(parts)))
		text := strings.Join(parts[:at], "") + junk + strings.Join(parts[at:], "")
		_, err := parse("c.yaml", []byte(text), broken())
		if err != nil && strings.Contains(err.Error(), canary[:10]) {
			t.Errorf("the message shows a secret:\n%v\nof\n%s", err, text)
		}
	})
}

// The parser calls itself for every level, and a stack that overflows cannot be caught.
func TestFilesBuiltToExhaustTheParserAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"brackets":       "x: " + strings.Repeat("[", 20_000),
		"braces":         "x: " + strings.Repeat("{a: ", 10_000),
		"dashes":         "x:\n" + strings.Repeat("- ", 20_000),
		"question marks": strings.Repeat("? ", 20_000),
		"tags":           "x: " + strings.Repeat("!!a ", 10_000),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse("c.yaml", []byte(text), broken())
			if err == nil || !strings.Contains(err.Error(), "is nested too deeply") {
				t.Errorf("got %.300v", err)
			}
		})
	}
}
