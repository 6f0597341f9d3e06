package e2e

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"cloakroom/e2e/browse"
	"cloakroom/e2e/stack"
	"cloakroom/e2e/up"
)

// race is what is under way while a session ends. begin brings it to a gate; what it returns lets it go on after the end, and judges what becomes of it.
type race struct {
	name  string
	due   bool // the access token has run out
	stops bool // it runs on the replica that is stopped
	alone bool // nothing else happens on its replica until it is over
	begin func(c *cell) (after func())
}

// races begin with those that need a short token.
var races = []race{
	{name: "a refresh in flight", due: true, begin: refreshInFlight},
	{name: "two replicas writing", due: true, begin: twoWriters},
	{name: "a replica stopped during its refresh", due: true, stops: true, begin: stoppedDuring},
	{name: "a replica stopped just before its refresh", due: true, stops: true, begin: stoppedBefore},
	{name: "slow answers", begin: slowAnswers},
	{name: "uploads", begin: uploads},
	{name: "a callback at its code exchange", begin: callbackAtExchange},
	{name: "a callback about to create its session", alone: true, begin: callbackAtCreate},
}

// The provider has granted, and its answer is on the way to the replica that ends the session.
func refreshInFlight(c *cell) func() {
	held := c.holdRefresh(stack.Fault{Hold: "after"})
	loser := c.ask(ender, c.path())
	c.check(held.Arrived(c.ctx))
	return func() {
		c.check(held.Release(c.ctx))
		c.loses(loser, 401)
		c.revoked(c.granted())
	}
}

// One replica's commands are on the way to Redis, a moved idle timeout and the answer to a refresh, while another one ends the session.
func twoWriters(c *cell) func() {
	touch := c.otherWire.commands("pexpireat", c.key())
	touching := c.ask(elsewhere, c.path())
	heard(c, "the touch", touch.arrived)
	held := c.holdRefresh(stack.Fault{Hold: "after"})
	refreshing := c.ask(elsewhere, c.path())
	c.check(held.Arrived(c.ctx))
	write := c.otherWire.commands("evalsha", c.key())
	c.check(held.Release(c.ctx))
	heard(c, "the write", write.arrived)
	return func() {
		touch.release()
		write.release()
		c.loses(touching, 401)
		c.loses(refreshing, 401)
		c.revoked(c.granted())
	}
}

// The replica is stopped while it waits for the provider, who has not taken up the call.
func stoppedDuring(c *cell) func() {
	held := c.holdRefresh(stack.Fault{Hold: "before", Status: 503})
	loser := c.ask(frozen, c.path())
	c.check(held.Arrived(c.ctx))
	c.atOnce = func() { c.check(held.Release(c.ctx)) }
	return func() { c.loses(loser, 401, 503) }
}

// The replica is stopped after it has written the attempt down, and before it has sent the token. It must not send it any more.
func stoppedBefore(c *cell) func() {
	recorded := c.stoppedWire.answers("evalsha", c.key())
	loser := c.ask(frozen, c.path())
	heard(c, "the attempt", recorded.arrived)
	c.atOnce = recorded.release
	return func() { c.loses(loser, 401, 503) }
}

// Three answers are under way on another replica: one without headers, one in the middle, and one that comes right after the end. The first two are cut off
// after a second, the last one is finished.
func slowAnswers(c *cell) func() {
	silent, begun, late := c.gate("silent", "silent"), c.gate("begun", "begun"), c.gate("silent", "late")
	noHeaders := c.ask(elsewhere, silent.path)
	half := c.ask(elsewhere, begun.path)
	finishes := c.ask(elsewhere, late.path)
	for _, g := range []gate{silent, begun, late} {
		heard(c, g.path, g.Arrived())
	}
	c.atOnce = late.Release
	return func() {
		c.finishes(finishes, "all of it\n")
		c.loses(noHeaders, 401)
		if r := heard(c, "the half answer", half); r.err == nil || !strings.Contains(r.err.Error(), "read answer") {
			c.Errorf("%s: the half answer ended with %v", c.name, r.err)
		}
		heard(c, "the silent upstream's loss", silent.Cut())
		heard(c, "the speaking upstream's loss", begun.Cut())
	}
}

// Two uploads are under way: one that does not go on, and one that is complete right after the end.
func uploads(c *cell) func() {
	stuck, late := c.gate("upload", "stuck"), c.gate("upload", "late")
	stays, unanswered := c.upload(ender, stuck.path)
	rest, finishes := c.upload(ender, late.path)
	heard(c, "the first upload", stuck.Arrived())
	heard(c, "the second upload", late.Arrived())
	c.atOnce = func() {
		if _, err := rest.Write([]byte("the rest")); err != nil {
			c.Errorf("%s: the upload broke off: %v", c.name, err)
		}
		_ = rest.Close()
	}
	return func() {
		c.finishes(finishes, "9 bytes\n")
		c.loses(unanswered, 401)
		heard(c, "the upstream's loss", stuck.Cut())
		_ = stays.Close()
	}
}

// The provider has taken the code, and its answer is on the way.
func callbackAtExchange(c *cell) func() {
	target, code := c.newSignIn()
	held, err := c.Provider.Break(c.ctx, stack.Fault{Path: "/token", Hold: "after", Only: map[string]string{"code": code}})
	c.check(err)
	landing := c.land(target)
	c.check(held.Arrived(c.ctx))
	return func() {
		c.check(held.Release(c.ctx))
		c.landed(landing, code, c.ending.name == backChannel.name)
	}
}

// The session that the callback is about to create is in the indexes, and the command that creates it is on its way.
func callbackAtCreate(c *cell) func() {
	target, code := c.newSignIn()
	create := c.otherWire.commands("cloakroom:e:{")
	landing := c.land(target)
	heard(c, "the create", create.arrived)
	return func() {
		create.release()
		c.landed(landing, code, c.ending.name == backChannel.name || c.ending.name == allOthers.name)
	}
}

// path is one of the cell's own, which the upstream must not see.
func (c *cell) path() string { return "/api/" + c.sub }

// holdRefresh is a fault of this session's next refresh.
func (c *cell) holdRefresh(f stack.Fault) *stack.Held {
	c.Helper()
	f.Path, f.Only = "/token", map[string]string{"refresh_token": c.refresh}
	held, err := c.Provider.Break(c.ctx, f)
	c.check(err)
	return held
}

// granted is the refresh token that the provider gave for this session's.
func (c *cell) granted() string {
	c.Helper()
	for _, r := range c.refreshes() {
		if r.Refresh == c.refresh {
			return r.GivenRefresh
		}
	}
	c.Fatalf("%s: the provider was not asked", c.name)
	return ""
}

// revoked demands that tokens which came too late for their session are given back.
func (c *cell) revoked(token string) {
	c.Helper()
	c.eventually(c.name+": the late tokens are revoked", func() bool {
		asked, err := c.Provider.Asked(c.ctx, "/token/revocation", "")
		c.check(err)
		return slices.ContainsFunc(asked, func(a stack.Asked) bool { return a.Token == token && token != "" })
	})
}

// loses demands that a request is answered with one of these statuses, sets no session and never reached the upstream's usual paths.
func (c *cell) loses(ch <-chan turnout, statuses ...int) {
	c.Helper()
	r := heard(c, "the loser's answer", ch)
	c.check(r.err)
	if !slices.Contains(statuses, r.Status) {
		c.Errorf("%s: the loser got %d, want %v%s", c.name, r.Status, statuses, c.brief(r.Answer))
	}
	c.noSession(r.Answer)
	for _, seen := range c.Upstream.Seen() {
		if seen.Target == "/v1/"+c.sub {
			c.Errorf("%s: the loser reached the upstream", c.name)
		}
	}
}

// finishes demands a whole answer. Only on a machine that took more than the second that it has may it have been cut off.
func (c *cell) finishes(ch <-chan turnout, body string) {
	c.Helper()
	r := heard(c, "the late answer", ch)
	switch took := r.at.Sub(c.since); {
	case r.err == nil && r.Status == 200 && r.Body == body:
		c.noSession(r.Answer)
	case took < time.Second:
		c.Errorf("%s: the late answer was cut off after %v: %v %v", c.name, took, r.Answer, r.err)
	default:
		c.Logf("%s: the late answer took %v", c.name, took)
	}
}

// gate is a gate of the upstream and the path to it.
type gate struct {
	*up.Gate
	path string
}

func (c *cell) gate(kind, name string) gate {
	name = kind + "/" + c.sub + "-" + name
	g := c.Upstream.Hold(name)
	c.Cleanup(g.Release)
	return gate{g, "/api/" + name}
}

// upload begins one, and returns where the rest of it goes.
func (c *cell) upload(n int, path string) (rest io.WriteCloser, got <-chan turnout) {
	c.Helper()
	view, turnouts := c.at(c.thief, n), make(chan turnout, 1)
	body, rest := io.Pipe()
	req, err := http.NewRequestWithContext(c.ctx, "POST", view.Origin+path, body)
	c.check(err)
	req.Header = http.Header{"Origin": {view.Origin}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"cors"}, "Content-Type": {"text/plain"}}
	go func() {
		res, err := view.Send(req, false, false)
		if err != nil {
			turnouts <- turnout{err: err, at: time.Now()}
			return
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		turnouts <- turnout{&browse.Answer{Status: res.StatusCode, Header: res.Header, Body: string(text), URL: req.URL}, err, time.Now()}
	}()
	_, err = rest.Write([]byte("1"))
	c.check(err)
	return rest, turnouts
}

// newSignIn begins one in the browser that is signed in, up to its callback.
func (c *cell) newSignIn() (target, code string) {
	c.Helper()
	target = c.story.begin(c.owner, c.sub, "/public/landed")
	u, err := url.Parse(target)
	c.check(err)
	return target, up.Thumbprint(u.Query().Get("code"))
}

// land opens a callback on the other replica.
func (c *cell) land(target string) <-chan turnout {
	view, got := c.at(c.owner, elsewhere), make(chan turnout, 1)
	go func() {
		a, err := view.Go(c.ctx, nav(target, c.Provider.Issuer, ""))
		got <- turnout{a, err, time.Now()}
	}()
	return got
}

// landed judges the callback: it is refused and its tokens are given back, or it has made a new session.
func (c *cell) landed(ch <-chan turnout, code string, refused bool) {
	c.Helper()
	r := heard(c, "the callback", ch)
	c.check(r.err)
	if !refused {
		if r.Status != 200 || r.URL.Path != "/public/landed" || c.owner.Ticket() == c.ticket {
			c.Errorf("%s: the callback ended at %s with %d%s", c.name, r.URL, r.Status, c.brief(r.Answer))
		}
		c.get(c.at(c.owner, ender), "/api/json", 200)
		return
	}
	if r.Status < 400 || r.Status >= 500 || !strings.Contains(r.Body, "/bff/login") {
		c.Errorf("%s: the callback ended with %d%s", c.name, r.Status, c.brief(r.Answer))
	}
	c.noSession(r.Answer)
	asked, err := c.Provider.Asked(c.ctx, "/token", "authorization_code")
	c.check(err)
	n := slices.IndexFunc(asked, func(a stack.Asked) bool { return a.Code == code })
	c.revoked(asked[n].GivenRefresh)
}
