package documents_test

import data.documents

# What Cloakroom tells about Alice, who deletes her draft on a Monday at noon in Berlin.
draft := {
	"request": {
		"id": "0123456789abcdef", "method": "DELETE", "path": "/api/documents/7", "route": "/api/documents/{id}",
		"values": {"id": "7"}, "query": {}, "headers": {}, "client_ip": "192.0.2.7",
	},
	"user": {
		"sub": "alice", "issuer": "https://id.example.com", "provider": "main", "kind": "session",
		"roles": ["customer"], "scopes": ["openid"], "claims": {"sub": "alice"},
	},
	"session": {"acr": "urn:mfa", "auth_time": "2026-11-23T10:55:00Z", "created": "2026-11-23T10:55:00Z"},
	"resource": {"owner": "alice", "state": "draft"},
	"now": "2026-11-23T11:00:00Z",
}

with_value(path, value) := json.patch(draft, [{"op": "add", "path": path, "value": value}])

test_a_user_deletes_their_own_draft_within_business_hours if documents.allow with input as draft

test_not_what_belongs_to_others if not documents.allow with input as with_value("/resource/owner", "bob")

test_not_what_is_published if not documents.allow with input as with_value("/resource/state", "published")

test_not_at_eighteen_in_winter if not documents.allow with input as with_value("/now", "2026-11-23T17:00:00Z")

test_at_eight_in_summer if documents.allow with input as with_value("/now", "2026-07-20T06:00:00Z")

test_not_on_a_sunday if not documents.allow with input as with_value("/now", "2026-11-22T11:00:00Z")

test_not_without_a_resource if not documents.allow with input as json.remove(draft, ["resource"])

test_nobody_deletes if not documents.allow with input as json.remove(draft, ["user", "session"])

test_customers_read if documents.allow with input as with_value("/request/method", "GET")

test_others_do_not_read if {
	not documents.allow with input as json.patch(draft, [
		{"op": "add", "path": "/request/method", "value": "GET"},
		{"op": "add", "path": "/user/roles", "value": []},
	])
}

key := json.patch(draft, [
	{"op": "add", "path": "/request/method", "value": "PUT"},
	{"op": "add", "path": "/user", "value": {"sub": "nightly", "kind": "api_key", "roles": [], "scopes": ["documents"], "claims": {}}},
	{"op": "add", "path": "/request/client_ip", "value": "10.1.2.3"},
	{"op": "remove", "path": "/session"},
])

test_a_key_writes_from_its_network if documents.allow with input as key

test_a_key_does_not_from_elsewhere if {
	not documents.allow with input as json.patch(key, [{"op": "add", "path": "/request/client_ip", "value": "192.0.2.7"}])
}

test_a_key_does_not_delete if {
	not documents.allow with input as json.patch(key, [{"op": "add", "path": "/request/method", "value": "DELETE"}])
}
