package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/opa"
	"cloakroom/e2e/stack"
	"cloakroom/e2e/up"
)

// What docs/rules.md, limits.md and callers.md promise, tried on two replicas of the built binary with one Redis.

// ruled is what the stories about rules share. Each has paths and users of its own.
type ruled struct {
	stack   *stack.Stack
	shelf   *shelf
	agent   *agent
	issuers *issuers
}

// rules is a story on it.
type rules struct {
	*story
	*ruled
}

// onRules tells a story on the shared stack with rules, which stays as it is.
func onRules(t *testing.T) *rules {
	t.Helper()
	r, err := shared.ruled()
	if err != nil {
		t.Fatal(err)
	}
	return &rules{&story{t, r.stack, deadline(t)}, r}
}

// withRules adds what the stories about rules share.
func (r *run) withRules() *run {
	r.ruled = sync.OnceValues(r.startRuled)
	return r
}

// documentsAPI is the audience of callers' tokens.
const documentsAPI = "https://documents.example"

func (r *run) startRuled() (*ruled, error) {
	out := &ruled{shelf: newShelf(), issuers: newIssuers()}
	r.undo(out.shelf.close)
	r.undo(out.issuers.close)
	o := stack.Options{Replicas: 2, Corpus: r.corpus, Configure: out.configure}
	var err error
	if o.Program, err = r.program(); err != nil {
		return nil, err
	}
	if o.Dir, err = r.tempDir(); err != nil {
		return nil, err
	}
	if _, err = opa.Program(context.Background()); err != nil { // is built now, and not while the clock runs
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if out.agent, err = r.startAgent(ctx); err != nil {
		return nil, err
	}
	if out.stack, err = stack.Start(ctx, o); err != nil {
		return nil, err
	}
	r.undo(out.stack.Close)
	return out, out.stack.Provider.SetResources(ctx, map[string]string{documentsAPI: "docs.read docs.write"})
}

func (d *ruled) configure(c *stack.Config) {
	c.Sections = fmt.Sprintf(`policy: {time_zone: %q, inherit_roles: {admin: [support]}}
rules:
  business_hours: {when: 'now.weekday in [0,1,2,3,4,5,6] && now.hour >= 8 && now.hour < 18'}
  owns_draft: {when: 'resource.owner == user.sub && resource.state == "draft"'}
limits:
  timeout: 5s # a busy machine is no outage
  shared: {search: {rate: 6/1h, burst: 6, per: user}}
callers:
  api_key: {header: X-API-Key}
  bearer:
    - {issuer: %q, audience: %q}
    - {issuer: %q, audience: %q, jwks_url: %q, clock_skew: 0s}
`, zoneWhereItIs(12, time.Now()), c.Issuer, documentsAPI, d.issuers.first.url(), documentsAPI, d.issuers.first.url()+"/keys")
	c.Routes = fmt.Sprintf("  - {path: /public/, upstream: %[1]q, auth: none}\n  - {path: /api/, upstream: %[1]q}\n", c.Upstream) +
		limitRoutes(c.Upstream) + d.agent.routes(c.Upstream) + d.shelf.routes() + callerRoutes(c.Upstream) + readingRoutes(c.Upstream)
}

// zoneWhereItIs is a time zone in which it is that hour now.
func zoneWhereItIs(hour int, now time.Time) string {
	east := hour - now.UTC().Hour()
	if east < -12 {
		east += 24
	}
	return fmt.Sprintf("Etc/GMT%+d", -east) // POSIX counts to the west
}

// startAgent starts the real agent with the example policy of deploy/opa, behind a link.
func (r *run) startAgent(ctx context.Context) (*agent, error) {
	a := &agent{run: r}
	var err error
	if a.dir, err = r.tempDir(); err != nil {
		return nil, err
	}
	if a.link, err = stack.NewSwitch(); err != nil {
		return nil, err
	}
	r.undo(a.close)
	return a, a.start(ctx)
}

// agent is the agent that the rules ask. It can be taken away and comes back at the same address.
type agent struct {
	*opa.Agent
	run  *run
	dir  string
	link *stack.Switch
}

// refusal is what the log says of a request that is refused.
type refusal struct{ code, rule, reason string }

// refusedOnce demands a problem and exactly one event of that request, with this code, rule and reason (LOG-01), and that the answer tells neither rule nor reason (AUZ-06).
func (s *story) refusedOnce(a *browse.Answer, status int, want refusal) {
	s.Helper()
	if a.Status != status {
		s.Errorf("%s: %d, want %d\n%s", a.URL, a.Status, status, s.brief(a))
		return
	}
	if fields := s.fields(a); fields["code"] != want.code {
		s.Errorf("%s: code %v, want %s", a.URL, fields["code"], want.code)
	}
	events, _ := s.noted(a)
	if len(events) != 1 {
		s.Errorf("%s: %d events, want 1%s", a.URL, len(events), s.brief(a))
		return
	}
	for name, value := range map[string]string{"event": "refused", "code": want.code, "rule": want.rule, "reason": want.reason} {
		if got, _ := events[0][name].(string); got != value {
			s.Errorf("%s: the event's %s is %q, want %q", a.URL, name, got, value)
		}
	}
	if want.reason != "" && strings.Contains(a.Body, want.reason) {
		s.Errorf("%s: the answer tells the reason: %s", a.URL, a.Body)
	}
}

// noted waits for the log's record of a request, and returns that and the request's security events, which are written before it.
func (s *story) noted(a *browse.Answer) (events []map[string]any, record map[string]any) {
	s.Helper()
	id := a.Header.Get("X-Request-Id")
	s.eventually("the log has the request "+id, func() bool {
		events, record = nil, nil
		for _, r := range s.Replicas {
			for _, l := range r.Lines() {
				switch {
				case l.Fields["id"] != id:
				case l.Is("request"):
					record = l.Fields
				case l.Fields["event"] != nil:
					events = append(events, l.Fields)
				}
			}
		}
		return record != nil
	})
	return events, record
}

// sends asks as the app's script does, whatever the answer.
func (s *story) sends(b *browse.Browser, method, path string, header ...string) *browse.Answer {
	s.Helper()
	a, err := b.Fetch(s.ctx, method, path, "", header...)
	s.check(err)
	return a
}

// program asks as a program does that is no browser, at the nth replica.
func (s *story) program(n int, method, path string, header ...string) *browse.Answer {
	s.Helper()
	none := []string{"Sec-Fetch-Site: ", "Sec-Fetch-Mode: ", "Sec-Fetch-Dest: ", "Origin: "}
	a, err := s.at(s.browser(), n).Fetch(s.ctx, method, path, "", append(none, header...)...)
	s.check(err)
	return a
}

// shelf is the upstream of the documents: it says what it has, and deletes.
type shelf struct {
	server *httptest.Server

	mu   sync.Mutex
	docs map[string]string // JSON, or "500" and the like for an answer with that status
	seen []visit
}

// visit is one request to the shelf.
type visit struct{ method, path, token string }

func newShelf() *shelf {
	d := &shelf{docs: map[string]string{}}
	d.server = httptest.NewServer(d)
	return d
}

func (d *shelf) close() error { d.server.Close(); return nil }

// put has a document from now on, or an answer with a status; nothing takes it away.
func (d *shelf) put(id, doc string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.docs[id] = doc
}

// ServeHTTP notes the request and answers. `hang` is answered when whoever asks has gone.
func (d *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.URL.Path, "/documents/")
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if token != "" {
		token = up.Thumbprint(token)
	}
	d.mu.Lock()
	d.seen = append(d.seen, visit{r.Method, r.URL.EscapedPath(), token})
	doc := d.docs[id]
	if r.Method == http.MethodDelete {
		delete(d.docs, id)
	}
	d.mu.Unlock()
	var status int
	switch _, err := fmt.Sscanf(doc, "%d", &status); {
	case doc == "hang":
		<-r.Context().Done()
	case err == nil:
		w.WriteHeader(status)
	case doc == "":
		w.WriteHeader(http.StatusNotFound)
	default:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, doc)
	}
}

// visits are the requests with that method about a document, as it is written in the path.
func (d *shelf) visits(method, id string) (found []visit) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, v := range d.seen {
		if v.method == method && strings.HasSuffix(v.path, "/"+id) {
			found = append(found, v)
		}
	}
	return slices.Clone(found)
}
