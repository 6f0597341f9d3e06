package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"cloakroom/configs"
)

var update = flag.Bool("update", false, "write the expected files anew")

// The tools print what people read, so it is compared whole.
func TestToolsSayWhatPeopleNeed(t *testing.T) {
	const rules = "--config=testdata/tools/rules.yaml"
	for name, c := range map[string]struct {
		args []string
		code int
	}{
		"routes":                     {[]string{"routes"}, 0},
		"routes as JSON":             {[]string{"routes", "--json"}, 0},
		"a request of a user":        {[]string{"explain", "GET", "/api/orders/7?page=2", "--as", "testdata/tools/alice.json", "-H", "Cookie: a=b", "-H", "X-Page: 1"}, 0},
		"a request of nobody":        {[]string{"explain", "/api/orders/7"}, 0},
		"a navigation":               {[]string{"explain", "/api/orders/7", "--from", "navigation"}, 0},
		"a request of another site":  {[]string{"explain", "POST", "/api/orders/", "--from", "other_site", "--as", "testdata/tools/alice.json"}, 0},
		"a wrong method":             {[]string{"explain", "DELETE", "/api/users/7"}, 0},
		"a trick":                    {[]string{"explain", "/api/orders/..%2f..%2fusers"}, 0},
		"as JSON":                    {[]string{"explain", "/api/users/7", "--json", "--as", "testdata/tools/alice.json"}, 0},
		"expectations that hold":     {[]string{"test", "testdata/tools/holds.yaml"}, 0},
		"expectations that fail":     {[]string{"test", "testdata/tools/fails.yaml"}, 1},
		"expectations with mistakes": {[]string{"test", "testdata/tools/mistakes.yaml"}, 2},
		"a body as described":        {[]string{"explain", "POST", "/api/notes", "--as", "testdata/tools/alice.json"}, 0},
		"a body that is not so":      {[]string{"explain", "POST", "/api/notes", "--as", "testdata/tools/alice.json", "--body", "testdata/tools/order.json"}, 0},
		"a body that is no file":     {[]string{"explain", "POST", "/api/notes", "--body", "testdata"}, 2},
		"a header in place of from":  {[]string{"explain", "/api/users/7", "-H", "Sec-Fetch-Site: cross-site"}, 0},
		"a path without a slash":     {[]string{"explain", "api/orders"}, 2},
		"a whole URL":                {[]string{"explain", "https://app.example.com/api/orders?x=1"}, 2},
		"both in one":                {[]string{"explain", "GET /api/orders"}, 2},
		"the wrong way round":        {[]string{"explain", "/api/orders", "GET"}, 2},
		"a method in small letters":  {[]string{"explain", "patch", "/api/orders"}, 2},
		"no path":                    {[]string{"explain"}, 2},
		"no expectations":            {[]string{"test"}, 2},
		"expectations of a folder":   {[]string{"test", "testdata/tools"}, 2},
		"a configuration to test":    {[]string{"test", "testdata/tools/cloakroom.yaml"}, 2},
		"claims that end too soon":   {[]string{"explain", "/", "--as", "testdata/tools/unsound.json"}, 2},
		"a header without a name":    {[]string{"explain", "/", "-H", "Bad Name: x"}, 2},
		"claims that are none":       {[]string{"explain", "/", "--as", "testdata/tools/holds.yaml"}, 2},
		"a header that is none":      {[]string{"explain", "/", "-H", "x"}, 2},
		"a draft of its owner":       {[]string{"explain", "DELETE", "/api/documents/7", "--as", "testdata/tools/editor.json", "--resource", "testdata/tools/draft.json", "--now", "2026-11-23T10:00:00+01:00", rules}, 0},
		"rules that refuse":          {[]string{"explain", "DELETE", "/api/documents/7", "--as", "testdata/tools/alice.json", "--resource", "testdata/tools/draft.json", "--now", "2026-11-22T10:00:00+01:00", rules}, 0},
		"a resource that is none":    {[]string{"explain", "DELETE", "/api/documents/7", "--as", "testdata/tools/editor.json", "--resource", "none", "--now", "2026-11-23T10:00:00+01:00", rules}, 0},
		"questions to others":        {[]string{"explain", "DELETE", "/api/documents/7", "--as", "testdata/tools/editor.json", "--now", "2026-11-23T10:00:00+01:00", rules}, 0},
		"an agent and limits":        {[]string{"explain", "POST", "/api/documents/", "--as", "testdata/tools/editor.json", "--now", "2026-11-23T10:00:00+01:00", rules}, 0},
		"an agent that denies":       {[]string{"explain", "POST", "/api/documents/?page=2", "--as", "testdata/tools/editor.json", "--now", "2026-11-23T10:00:00+01:00", "--client-ip", "10.0.0.7", "--opa", "deny", rules}, 0},
		"a caller":                   {[]string{"explain", "POST", "/api/documents/", "--caller", "testdata/tools/importer.yaml", "--now", "2026-11-23T10:00:00+01:00", "--opa", "allow", "--json", rules}, 0},
		"two identities":             {[]string{"explain", "POST", "/api/documents/", "--as", "testdata/tools/editor.json", "--caller", "testdata/tools/importer.yaml", rules}, 0},
		"a route with callers":       {[]string{"explain", "POST", "/api/documents/", rules}, 0},
		"rules as expected":          {[]string{"test", "testdata/tools/rules_test.yaml", rules}, 0},
		"a caller with mistakes":     {[]string{"explain", "/", "--caller", "testdata/tools/impostor.yaml", rules}, 2},
		"no time":                    {[]string{"explain", "/", "--now", "noon"}, 2},
		"no address":                 {[]string{"explain", "/", "--client-ip", "home"}, 2},
		"an agent of few words":      {[]string{"explain", "/", "--opa", "perhaps"}, 2},
		"a resource that is a list":  {[]string{"explain", "/", "--resource", "testdata/tools/holds.yaml"}, 2},
		"from anywhere":              {[]string{"explain", "/", "--from", "mars"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			code := run(append([]string{c.args[0], "--config", "testdata/tools/cloakroom.yaml"}, c.args[1:]...), &out, &out)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			golden := filepath.Join("testdata/tools", strings.ReplaceAll(name, " ", "_")+".golden")
			if *update {
				if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got := out.String(); got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestCheckOnlineFailsIfOneFails(t *testing.T) {
	var issuer string
	idp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"issuer": issuer, "authorization_endpoint": issuer + "/a", "token_endpoint": issuer + "/t", "jwks_uri": issuer + "/k",
			"code_challenge_methods_supported": []string{"S256"}, "id_token_signing_alg_values_supported": []string{"RS256"}, "userinfo_endpoint": issuer + "/u"})
	}))
	t.Cleanup(idp.Close)
	issuer = idp.URL
	config := func(upstream string) string {
		return writeConfig(t, strings.NewReplacer("https://id.example.com", issuer, "session: {", "session: {store: memory, ", "http://orders:9001", upstream).Replace(minimal))
	}
	var stdout, stderr bytes.Buffer
	if code := run([]string{"check", "--online", "-c", config(idp.URL)}, &stdout, &stderr); code != 0 || strings.Count(stdout.String(), "\nok  ") != 2 {
		t.Errorf("exit code %d\n%s%s", code, &stdout, &stderr)
	}
	stdout.Reset()
	if code := run([]string{"check", "--online", "-c", config("http://" + nobody(t))}, &stdout, &stderr); code != 1 || !strings.Contains(stdout.String(), "\nFAIL") || stderr.String() != "1 of 2 could not be reached\n" {
		t.Errorf("exit code %d\n%s%s", code, &stdout, &stderr)
	}
}

// An editor that opens a file of expectations finds their schema.
func TestExpectationsNameTheirSchema(t *testing.T) {
	for _, name := range []string{"holds", "fails", "rules_test"} {
		data, err := os.ReadFile("testdata/tools/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		schema := regexp.MustCompile(`^# yaml-language-server: \$schema=(\S+)\n`).FindSubmatch(data)
		if schema == nil {
			t.Fatalf("%s names no schema", name)
		}
		text, err := os.ReadFile(filepath.Join("testdata/tools", string(schema[1])))
		if err != nil || string(text) != configs.TestsSchema() {
			t.Errorf("%s: %s is not what cloakroom schema --tests prints (%v)", name, schema[1], err)
		}
	}
}

// What serve would not start with, check refuses too.
func TestCheckRefusesWhatServeWould(t *testing.T) {
	cache := t.TempDir()
	if err := os.Chmod(cache, 0o777); err != nil {
		t.Fatal(err)
	}
	config := writeConfig(t, strings.NewReplacer("session: {", "session: {store: memory, ", "server: {", "server: {tls: {acme: {agree: true, cache: "+cache+"}}, ").Replace(minimal))
	for _, command := range []string{"check", "serve"} {
		var out bytes.Buffer
		if code := run([]string{command, "-c", config}, &out, &out); code != 2 || !strings.Contains(out.String(), "server.tls.acme.cache: everybody may write to") {
			t.Errorf("%s: exit code %d\n%s", command, code, &out)
		}
	}
	if err := os.Chmod(cache, 0o700); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if code := run([]string{"check", "-c", config}, &out, &out); code != 0 {
		t.Errorf("exit code %d\n%s", code, &out)
	}
}

// What docs/testing-routes.md shows is run: its configuration, and its expectations of it.
func TestTheDocumentedExpectationsHold(t *testing.T) {
	page, err := os.ReadFile("../../docs/testing-routes.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 4 {
		t.Fatalf("%d YAML blocks, want two configurations, each with its expectations", len(blocks))
	}
	for i, want := range []string{"3 tests: ok\n", "6 tests: ok\n"} {
		config, expectations := writeDocumented(t, blocks[2*i][1], blocks[2*i+1][1])
		var out bytes.Buffer
		if code := run([]string{"test", "-c", config, expectations}, &out, &out); code != 0 || out.String() != want {
			t.Errorf("exit code %d\n%s", code, &out)
		}
	}
}

// writeDocumented writes a configuration with the secrets that it names, and expectations.
func writeDocumented(t *testing.T, configuration, tests string) (config, expectations string) {
	t.Helper()
	config = writeConfig(t, configuration)
	secrets := filepath.Join(filepath.Dir(config), "secrets")
	for name, text := range map[string]string{"oidc": "b7Kq2Zt9Xw4Lm6Rc", "session": "Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta"} {
		if err := os.MkdirAll(secrets, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(secrets, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	expectations = filepath.Join(t.TempDir(), "routes_test.yaml")
	if err := os.WriteFile(expectations, []byte(tests), 0o600); err != nil {
		t.Fatal(err)
	}
	return config, expectations
}
