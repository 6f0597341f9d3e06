package configs

// Expectations is a file of what a team expects of its routes: this request, by this user, goes there.
type Expectations struct {
	// Users are the claims of an ID token, by a name of your choice.
	Users map[string]map[string]any `yaml:"users" default:"{}"`
	// Tests are requests and what becomes of them.
	Tests []Expectation `yaml:"tests" required:"true" example:"[{name: …, request: {path: /api/}, expect: {verdict: forwarded}}]"`

	places []routePlace
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
	// From is who asks: a script of the `app`, a `navigation` by hand, a script of an `other_site`, or a client that says `nowhere`.
	From string `yaml:"from" default:"app" enum:"app,navigation,other_site,nowhere"`
	// As names the user of `users` who is signed in. Empty: nobody is.
	As string `yaml:"as" default:""`
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
	// Upstream is the URL that is asked.
	Upstream string `yaml:"upstream" default:""`
	// Headers are headers that the upstream gets, with these values.
	Headers map[string]string `yaml:"headers" default:"{}"`
	// Absent are headers that the upstream does not get.
	Absent []string `yaml:"absent" default:"[]"`
}
