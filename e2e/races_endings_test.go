package e2e

import (
	"slices"
	"time"
)

// ending is a way in which a session ends. end returns when its answer says that it has.
type ending struct {
	name     string
	byFriend bool // another device of the user does it
	end      func(c *cell)
}

var signOut = ending{name: "sign-out", end: func(c *cell) {
	c.Helper()
	c.fetch(c.at(c.owner, ender), "POST", "/bff/logout", 200)
}}

// The provider tells whoever the public port leads to: the ender.
var backChannel = ending{name: "back-channel logout", end: func(c *cell) {
	c.Helper()
	told, err := c.Provider.Logout(c.ctx, c.sub)
	c.check(err)
	if len(told) != 1 || told[0].Said != "ok" {
		c.Fatalf("%s: the provider was told %v", c.name, told)
	}
}}

var oneDevice = ending{name: "one device", byFriend: true, end: func(c *cell) {
	c.Helper()
	friend := c.at(c.friend, ender)
	list := c.devices(friend, 2)
	n := slices.IndexFunc(list, func(d device) bool { return !d.Current })
	c.fetch(friend, "DELETE", "/bff/sessions/"+list[n].ID, 204)
}}

var allOthers = ending{name: "all other devices", byFriend: true, end: func(c *cell) {
	c.Helper()
	c.fetch(c.at(c.friend, ender), "DELETE", "/bff/sessions", 200)
}}

// Nobody answers an expiry: it is over when Redis has dropped the key.
var expiry = ending{name: "expiry", end: func(c *cell) {
	c.Helper()
	for {
		at, err := c.Redis.Client.PExpireTime(c.ctx, c.key()).Result()
		c.check(err)
		if at < 0 {
			return
		}
		c.since = time.UnixMilli(at.Milliseconds())
		c.wait(c.since)
	}
}}
