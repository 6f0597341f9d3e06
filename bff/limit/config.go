package limit

import "time"

// Config says how much is allowed: what every installation has (login, callback, backchannel, callers), and the limits that routes share.
type Config struct {
	// Login bounds GET /bff/login.
	Login Login `yaml:"login"`
	// Callback bounds GET /bff/callback, where a sign-in costs the provider a request.
	Callback Callback `yaml:"callback"`
	// Backchannel bounds POST /bff/backchannel: the provider's logouts.
	Backchannel Backchannel `yaml:"backchannel"`
	// Callers bounds requests that bring neither a session nor a good credential.
	Callers Callers `yaml:"callers"`
	// Exempt are networks, such as 10.0.0.0/8, that are not counted by address: health probes, or an office whose people share one.
	// Limits per user, session, caller or route count there as everywhere.
	Exempt []string `yaml:"exempt" default:"[]"`
	// Shared are limits by a name of your choice, counted together for all routes that name them in `limit`.
	Shared map[string]Limit `yaml:"shared" default:"{}"`
	// Timeout is how long Redis may take to count; after that a limit's `outage` decides. Between 5ms and 5s.
	Timeout time.Duration `yaml:"timeout" default:"100ms"`
	// Replicas is how many processes count on their own when Redis is away: each then allows its part of rate and burst, so that all
	// together stay below the limit. With 1 each allows the whole. Between 1 and 1000.
	Replicas int `yaml:"replicas" default:"1"`
}

// Limit is how much of something is allowed to each user, address or whatever `per` says: a rate, or how many at the same time.
type Limit struct {
	// Shared names one of `limits.shared`, which stands for all other keys.
	Shared string `yaml:"shared" default:""`
	// Rate is how many requests in how long, a number, a slash and a duration, such as 100/1m: at most 10000 a second, in whole seconds of at most 24h. In
	// any span of time that long no more than rate and burst together come through, over all replicas.
	Rate string `yaml:"rate" default:"" example:"100/1m"`
	// Burst is how many requests may come at once, before those that follow have to keep to the rate. 0: a tenth of the rate's number, but at least 10, since a page asks for
	// several things at once, and at most that number.
	Burst int `yaml:"burst" default:"0"`
	// Concurrent is how many may be under way at the same time, in the place of rate. Streams and WebSockets count for as long as they are open. Each replica counts its own.
	Concurrent int `yaml:"concurrent" default:"0"`
	// Per is what is counted apart: each `user`, `session`, address (`ip`; of IPv6 each /64), `caller` (an API key or other credential), or all
	// of the `route` together. Who is not signed in counts by credential, and else by address.
	Per string `yaml:"per" default:"user" enum:"user,session,ip,caller,route"`
	// Outage is what holds while Redis does not answer: `local` counts in each replica's memory (see `limits.replicas`), `open` lets everything through, `closed` refuses everything with 503.
	Outage string `yaml:"outage" default:"local" enum:"local,open,closed"`
	// ReportOnly counts and logs what would have been refused, and lets it through.
	ReportOnly bool `yaml:"report_only" default:"false"`
}

// Login bounds the starts of sign-ins. They are counted by address, which a whole office may share: by default 5000 people may begin within a minute.
type Login struct {
	// Rate is how many in how long, such as 3000/1m; `off` for no limit.
	Rate string `yaml:"rate" default:"3000/1m" example:"3000/1m"`
	// Burst is how many may come at once, before those that follow have to keep to the rate.
	Burst int `yaml:"burst" default:"2500"`
	Fixed `yaml:",inline"`
}

// Callback bounds the ends of sign-ins, as Login their starts.
type Callback struct {
	// Rate is how many in how long, such as 3000/1m; `off` for no limit.
	Rate string `yaml:"rate" default:"3000/1m" example:"3000/1m"`
	// Burst is how many may come at once, before those that follow have to keep to the rate.
	Burst int `yaml:"burst" default:"2500"`
	Fixed `yaml:",inline"`
}

// Backchannel bounds the provider's logouts. It is generous, since a logout that is refused may not come again.
type Backchannel struct {
	// Rate is how many in how long, such as 6000/1m; `off` for no limit.
	Rate string `yaml:"rate" default:"6000/1m" example:"6000/1m"`
	// Burst is how many may come at once, before those that follow have to keep to the rate.
	Burst int `yaml:"burst" default:"5000"`
	Fixed `yaml:",inline"`
}

// Callers bounds requests without any identity, failed credentials among them. The default lets the tabs that 5000 people left open over night find out that their sessions are over.
type Callers struct {
	// Rate is how many in how long, such as 12000/1m; `off` for no limit.
	Rate string `yaml:"rate" default:"12000/1m" example:"12000/1m"`
	// Burst is how many may come at once, before those that follow have to keep to the rate.
	Burst int `yaml:"burst" default:"10000"`
	Fixed `yaml:",inline"`
}

// Fixed is what the limits of the server's own endpoints have in common. None can be open in an outage: they stand before the sign-in.
type Fixed struct {
	// Per is what is counted apart: each address (`ip`; of IPv6 each /64), or all of them together (`route`).
	Per string `yaml:"per" default:"ip" enum:"ip,route"`
	// Outage is what holds while Redis does not answer: `local` counts in each replica's memory (see `limits.replicas`), `closed` refuses everything with 503.
	Outage string `yaml:"outage" default:"local" enum:"local,closed"`
	// ReportOnly counts and logs what would have been refused, and lets it through.
	ReportOnly bool `yaml:"report_only" default:"false"`
}

// off is the rate of a fixed limit that is not wanted.
const off = "off"

// What Limit.Per and Limit.Outage say.
const (
	perUser    = "user"
	perSession = "session"
	perIP      = "ip"
	perCaller  = "caller"
	perRoute   = "route"

	outageLocal  = "local"
	outageOpen   = "open"
	outageClosed = "closed"
)

// limit is f as a limit like any other.
func (f Fixed) limit(rate string, burst int) Limit {
	return Limit{Rate: rate, Burst: burst, Per: f.Per, Outage: f.Outage, ReportOnly: f.ReportOnly}
}
