// Package tokens says which access token a route's upstream gets, and what tells one such token from another. How it is fetched and kept is others' part.
//
// # The rule
//
// An upstream gets the token that its route's `token` says, or none. There is no second choice: where the token cannot be had, the request is answered without the upstream.
package tokens
