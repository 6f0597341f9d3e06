# Who may do what with documents. Cloakroom asks for data.documents.allow; docs/rules.md lists what it tells.
package documents

# What no rule allows is refused. Without this line the decision would be undefined, which refuses too, but under another reason.
default allow := false

# Customers read.
allow if {
	input.request.method == "GET"
	"customer" in input.user.roles
}

# A user may delete a document that they own, in draft, within business hours. Cloakroom looks the document up (`resource`).
allow if {
	input.request.method == "DELETE"
	input.resource.owner == input.user.sub
	input.resource.state == "draft"
	business_hours
}

# Callers with a key may do what their scopes say, from the networks of this list.
allow if {
	input.user.kind == "api_key"
	input.request.method in {"GET", "PUT"}
	"documents" in input.user.scopes
	some network in data.documents.networks
	net.cidr_contains(network, input.request.client_ip)
}

# Monday to Friday, 8:00 to 17:59 in Berlin.
business_hours if {
	now := [time.parse_rfc3339_ns(input.now), "Europe/Berlin"]
	time.weekday(now) in {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}
	[hour, _, _] := time.clock(now)
	hour >= 8
	hour < 18
}
