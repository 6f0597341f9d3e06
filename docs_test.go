package house_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cloakroom/bff/edge"
	"cloakroom/configs"
	"cloakroom/e2e/ca"
)

// What the documentation says is compared with the program here, as far as a program can.

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// named returns the first group of every match, sorted, each once.
func named(pattern, text string) []string {
	var names []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// same demands that a page names exactly what there is.
func same(t *testing.T, page, what string, documented, real []string) {
	t.Helper()
	if len(real) == 0 {
		t.Fatalf("%s: the test finds no %s in the program", page, what)
	}
	for _, name := range real {
		if !slices.Contains(documented, name) {
			t.Errorf("%s lacks the %s %s", page, what, name)
		}
	}
	for _, name := range documented {
		if !slices.Contains(real, name) {
			t.Errorf("%s has the %s %s, which does not exist", page, what, name)
		}
	}
}

// section is what stands between a heading and the next of the same or a higher level.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, "\n"+heading+"\n")
	if !ok {
		t.Fatalf("no heading %q", heading)
	}
	body, _, _ := strings.Cut(rest, "\n## ")
	return body
}

// program is the text of every Go file that is no test, but for those whose path is left out.
func program(t *testing.T, without ...string) string {
	t.Helper()
	var b strings.Builder
	for _, f := range house(t) {
		if !f.test() && !slices.Contains(without, f.path) && !strings.HasPrefix(f.dir, "e2e") {
			b.WriteString(read(t, f.path))
		}
	}
	return b.String()
}

func TestTheReadmesConfigurationIsRight(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(read(t, "README.md"), -1)
	if len(blocks) != 1 {
		t.Fatalf("README.md has %d YAML blocks, want 1", len(blocks))
	}
	accept(t, blocks[0][1])
}

func TestTheConfigurationsOfThePagesAreRight(t *testing.T) {
	for _, page := range []string{"docs/compose.md", "docs/tokens.md"} {
		blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(read(t, page), -1)
		if len(blocks) != 1 {
			t.Fatalf("%s has %d YAML blocks, want 1", page, len(blocks))
		}
		accept(t, blocks[0][1])
	}
}

func TestTheDeployedConfigurationIsRight(t *testing.T) {
	accept(t, strings.ReplaceAll(read(t, "deploy/cloakroom.yaml"), "${file:/run/", "${file:"))
}

func TestTheConfigurationsOfTheUpstreamsPageAreRight(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(read(t, "docs/upstreams.md"), -1)
	if len(blocks) != 2 {
		t.Fatalf("%d YAML blocks, want 2", len(blocks))
	}
	dir := t.TempDir()
	a, err := ca.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := a.Issue("cloakroom", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"ca": a.PEM, "tlscert": cert, "tlskey": key} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range blocks {
		accept(t, regexp.MustCompile(`secrets/(ca|tlscert|tlskey)\b`).ReplaceAllString(b[1], dir+"/$1"))
	}
}

// accept reads a configuration as `cloakroom check` does, in a folder that has what it names.
func accept(t *testing.T, text string) {
	t.Helper()
	dir := t.TempDir()
	for _, folder := range []string{"secrets", "dist"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for i, name := range named(`\$\{file:(secrets/[a-z]+)\}`, text) {
		secret := fmt.Sprintf("b0Nkq7YxVd2Lw9s%dRtZe4Hu6Pf1Aj3Mc8Gi5", i)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("REDIS_URL", "redis://localhost:6379/0")
	path := filepath.Join(dir, "cloakroom.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := configs.Load(path); err != nil {
		t.Errorf("the configuration is wrong:\n%v", err)
	}
}

func TestEveryProblemThatCanBeAnsweredIsDocumented(t *testing.T) {
	const page = "docs/endpoints.md"
	code := program(t, "bff/edge/codes.go")
	var real []string
	for _, e := range edge.Catalog() {
		if strings.Contains(code, `"`+e.Code+`"`) {
			real = append(real, fmt.Sprintf("`%s` | %d | %s", e.Code, e.Status, e.Explanation))
		}
	}
	same(t, page, "problem", named(`(?m)^\| (.+) \|$`, strings.Replace(section(t, read(t, page), "## Problems"), "| code | status | means |\n|---|---|---|\n", "", 1)), real)
}

func TestEveryEndpointIsDocumented(t *testing.T) {
	const page = "docs/endpoints.md"
	text := read(t, page)
	same(t, page, "endpoint", named(`(?m)^## ((?:GET|POST|DELETE) \S+)$`, text), named(`m\.Handle\("((?:GET|POST|DELETE) /(?:bff|\.well-known)/\S+)"`, read(t, "bff/chain.go")))
	same(t, page, "admin endpoint", named("`(GET /[a-z]+)` \\|", section(t, text, "## The second listener")), named(`"(GET /[a-z]+)"`, read(t, "bff/admin.go")))
}

func TestWhatAReloadMayChangeIsDocumented(t *testing.T) {
	const page = "docs/reload.md"
	table := section(t, read(t, page), "## What may change")
	keys, _, _ := strings.Cut(table, "Everything else")
	var documented []string
	for _, row := range named(`(?m)^\| (`+"`"+`[^|]+) \|`, keys) {
		documented = append(documented, named("`([a-z_.]+)`", row)...)
	}
	list := regexp.MustCompile(`(?s)var mayChange = \[\]string\{(.*?)\n\}`).FindString(read(t, "bff/reload.go"))
	same(t, page, "key", documented, named(`"([a-z_.]+)"`, list))
}

func TestEveryMetricIsDocumented(t *testing.T) {
	const page = "docs/metrics-and-logs.md"
	real := named(`(?:counter\(|seconds\(|described\(|Name: )"([a-z_]+)"`, read(t, "bff/metrics.go")+read(t, "bff/upstreams.go"))
	same(t, page, "metric", named("(?m)^\\| `cloakroom_([a-z_]+)` ", read(t, page)), real)
}

func TestEveryResultOfARefreshIsDocumented(t *testing.T) {
	const page = "docs/metrics-and-logs.md"
	_, table, _ := strings.Cut(read(t, page), "\n| `result` |")
	table, _, _ = strings.Cut(table, "\n\n")
	same(t, page, "result", named("(?m)^\\| `([a-z]+)` ", table), named(`Refresh[A-Z]\w+\s+= "([a-z]+)"`, read(t, "session/refresh.go")))
}

func TestEveryEventIsDocumented(t *testing.T) {
	const page = "docs/metrics-and-logs.md"
	code := program(t, "bff/edge/event.go")
	real := named(`"event", "([a-z_]+)"`, code)
	for _, m := range regexp.MustCompile(`(Event[A-Z]\w+)\s+= "([a-z_]+)"`).FindAllStringSubmatch(read(t, "bff/edge/event.go"), -1) {
		if regexp.MustCompile(`\b` + m[1] + `\b`).MatchString(code) {
			real = append(real, m[2])
		}
	}
	same(t, page, "event", named("(?m)^\\| `([a-z_]+)` ", section(t, read(t, page), "## Events")), real)
}

func TestEveryReasonOfARefusedSignInIsDocumented(t *testing.T) {
	const page = "docs/metrics-and-logs.md"
	documented := named("`([a-z_]+)`", section(t, read(t, page), "## Reasons"))
	for _, reason := range named(`Reason\w+\s*= "([a-z_]+)"`, read(t, "bff/provider/refusal.go")) {
		if !slices.Contains(documented, reason) && !strings.HasPrefix(reason, "refresh_") && reason != "revocation_refused" {
			t.Errorf("%s lacks the reason %s", page, reason)
		}
	}
}

func TestEveryReasonOfARefusedCallerIsDocumented(t *testing.T) {
	const page = "docs/callers.md"
	same(t, page, "reason", named("(?m)^\\| `([a-z_]+)` ", section(t, read(t, page), "## Reasons")), named(`Reason\w+\s*= "([a-z_]+)"`, read(t, "bff/inbound/refusal.go")))
}

func TestEveryReasonOfARuleIsDocumented(t *testing.T) {
	const page = "docs/rules.md"
	same(t, page, "reason", named("(?m)^\\| `([a-z_]+)` ", section(t, read(t, page), "## Reasons")), named(`Reason\w+\s*= "([a-z_]+)"`, read(t, "bff/policy/verdict.go")))
}

func TestEveryReasonOfAnEndIsDocumented(t *testing.T) {
	const page = "docs/engine.md"
	_, list, _ := strings.Cut(read(t, "session/reason.go"), "const (")
	real := named(`"([a-z_]+)"`, list)
	for _, used := range named(`\b(?:End|EndOne|endListed|giveUp)\(.*, "([a-z_]+)"\)`, program(t)) {
		if !slices.Contains(real, used) {
			t.Errorf("session/reason.go lacks the reason %s", used)
		}
	}
	table, _, _ := strings.Cut(strings.SplitN(section(t, read(t, page), "## Ending"), "| reason |", 2)[1], "\n\n")
	same(t, page, "reason", named("(?m)^\\| `([a-z_]+)` ", table), real)
}

func TestTheRightsInRedisAreThoseOfThePackage(t *testing.T) {
	words := func(text string) string {
		_, rights, _ := strings.Cut(text, "user cloakroom on")
		rights, _, _ = strings.Cut(rights, "+publish")
		return strings.Join(strings.Fields(strings.ReplaceAll(rights, "//", " ")), " ")
	}
	tested := words(read(t, "session/redis/doc.go"))
	if got := words(read(t, "docs/deployment.md")); got != tested || !strings.Contains(got, "+evalsha") {
		t.Errorf("docs/deployment.md: %s\nsession/redis/doc.go, which is tested: %s", got, tested)
	}
}

// Links to other pages, files and headings of this repository lead somewhere.
func TestLinksLeadSomewhere(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil || len(pages) < 7 {
		t.Fatalf("%d pages (%v)", len(pages), err)
	}
	for _, page := range append(pages, "README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md") {
		for _, link := range named(`\]\(([^)\s]+)\)`, read(t, page)) {
			u, err := url.Parse(link)
			if err != nil || u.Host != "" {
				continue
			}
			target := page
			if u.Path != "" {
				target = filepath.Join(filepath.Dir(page), u.Path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s leads nowhere", page, link)
			} else if u.Fragment != "" && !slices.Contains(anchors(read(t, target)), u.Fragment) {
				t.Errorf("%s: %s: the page has no such heading", page, link)
			}
		}
	}
}

// anchors are the names of a page's headings, as GitHub makes them.
func anchors(text string) []string {
	var all []string
	for _, heading := range named(`(?m)^#+ (.+)$`, text) {
		kept := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(heading), "")
		all = append(all, strings.ReplaceAll(kept, " ", "-"))
	}
	return all
}
