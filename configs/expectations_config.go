package configs

// Expectations is a file of what a team expects of its routes: this request, by this user, goes there.
type Expectations struct {
	// Users are the claims of an ID token, by a name of your choice.
	// `acr` and `auth_time` (in seconds, or as 2026-11-23T09:30:00Z) say how and when they signed in, `scope` what the token endpoint granted.
	Users map[string]map[string]any `yaml:"users" default:"{}"`
	// Callers are those who come with a good credential of their own in the place of a session, by a name of your choice.
	Callers map[string]ExpectedCaller `yaml:"callers" default:"{}"`
	// Tests are requests and what becomes of them.
	Tests []Expectation `yaml:"tests" required:"true" example:"[{name: …, request: {path: /api/}, expect: {verdict: forwarded}}]"`

	places []routePlace
}

// ExpectedCaller is a caller with a good credential. What the configuration says of it, such as the roles of a user name, is not said again.
type ExpectedCaller struct {
	// Kind is that of the credential.
	Kind string `yaml:"kind" required:"true" enum:"api_key,basic,bearer,certificate" example:"api_key"`
	// Sub is what rules call it: the ID of an API key, a user name, or the name in a certificate with its kind, such as dns:billing.internal. A bearer's is in its claims.
	Sub string `yaml:"sub" default:"" example:"importer"`
	// Roles are those of an API key.
	Roles []string `yaml:"roles" default:"[]"`
	// Scopes are those of an API key.
	Scopes []string `yaml:"scopes" default:"[]"`
	// Claims are those of a bearer's access token. It is taken to be for this server, signed and of this time; without `iss` it is of the one issuer that there is.
	Claims map[string]any `yaml:"claims" default:"{}"`
}

// Expectation is one request, and what becomes of it.
type Expectation struct {
	// Name says in words what is expected.
	Name string `yaml:"name" required:"true" example:"orders are for signed-in users"`
	// Request is what is asked.
	Request ExpectedRequest `yaml:"request"`
	// Expect is what becomes of it. Only keys that are there are compared.
	Expect Expected `yaml:"expect" filled:"true" example:"{verdict: forwarded}"`
}

// ExpectedRequest is a request as a client sends it.
type ExpectedRequest struct {
	// Method is the HTTP method.
	Method string `yaml:"method" default:"GET"`
	// Path is the path, perhaps with a query, as it is sent.
	Path string `yaml:"path" required:"true" example:"/api/orders/7"`
	// From is who asks: a script of the `app`, a `navigation` by hand, a script of an `other_site`, or a client that says `nowhere`. Empty: the app, or with a caller nowhere.
	From string `yaml:"from" default:"" enum:"app,navigation,other_site,nowhere"`
	// As names the user of `users` who is signed in. Empty: nobody is.
	As string `yaml:"as" default:""`
	// Caller names the one of `callers` whose credential comes along. Empty: nobody's.
	Caller string `yaml:"caller" default:""`
	// Now is the time of the request, such as 2026-11-23T10:00:00+01:00. Empty: the time of the test.
	Now string `yaml:"now" default:"" example:"2026-11-23T10:00:00+01:00"`
	// ClientIP is the client's address. Empty: 192.0.2.1.
	ClientIP string `yaml:"client_ip" default:"" example:"10.0.0.7"`
	// Resource is what the route's `resource` looks up: an object, or the word `none`, where there is no such thing. Without it, rules about the resource are taken to hold.
	Resource any `yaml:"resource"`
	// OPA is what agents say. Empty: they are taken to allow.
	OPA string `yaml:"opa" default:"" enum:"allow,deny"`
	// Headers are further headers of the request.
	Headers map[string]string `yaml:"headers" default:"{}"`
	// Body is the body: a text as it is sent, or any other value, which is sent as JSON. It comes as application/json where headers name no other Content-Type.
	// Without it a description is not asked what it says of bodies. An empty text is no body.
	Body any `yaml:"body"`
}

// Expected is what becomes of a request.
type Expected struct {
	// Verdict is what the server does with it.
	Verdict string `yaml:"verdict" default:"" enum:"forwarded,refused,sign_in,bounced,preflight,answered,app,endpoint"`
	// Route is the path pattern of its route.
	Route string `yaml:"route" default:""`
	// Status is that of the server's own answer.
	Status int `yaml:"status" default:"0"`
	// Code is the problem's.
	Code string `yaml:"code" default:""`
	// Rule is the rule that refuses: its name, or the key of the route's own, such as roles. `none` is that no rule does.
	Rule string `yaml:"rule" default:""`
	// Reason is why it is refused, as the log has it: role_missing, when_false, two_credentials.
	Reason string `yaml:"reason" default:""`
	// Upstream is the URL that is asked.
	Upstream string `yaml:"upstream" default:""`
	// Headers are headers that the upstream gets, with these values.
	Headers map[string]string `yaml:"headers" default:"{}"`
	// Absent are headers that the upstream does not get.
	Absent []string `yaml:"absent" default:"[]"`
}
