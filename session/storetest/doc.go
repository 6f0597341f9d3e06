// Package storetest holds what every session.Store must do, as one suite that all stores pass: [Run].
//
// Most cases are stories: lines of a call and its answer, read by story.go.
//
//	create s A 1h = ok         version 1 by write A, expires in an hour
//	update s 2B = ok           version 2 by write B
//	read s = 2B                or none
//	readttl s = 2B 1h          both
//	ttl s = 1h                 none, or a time that has at most a minute less left
//	touch s 2h = true
//	prolong s 2h = true        the same, announced
//	end s 10m limit = true     leaves a mark for ten minutes, with this reason; without one it is logout
//	why s = limit              the mark's reason, or none
//	add k s 5 1h = ok          session s, issued at second 5, into index k
//	within k s 5 1h 2 end = t  the same under a limit of 2: t has to go. Or refuse, and the answer many
//	ttls s t = 1h none         several at once
//	drop k s = ok
//	members k = s t            sorted, or nobody
//	mark k 5 10m = s t         what is issued up to second 5 is ended; answers the members
//	lock s A 1h = true         unlock s A = ok
//	claim n A 1h = true
//
// Refusals are none, conflict, ended, many, full and corrupt; any other error fails the case. `short` is a time that the case
// can wait for, and `until` before a line repeats it, while time passes, until the answer comes; it fails if that is
// earlier than the last `short` ends. So nothing depends on how fast the machine is.
//
// The package also starts what tests of stores need: a real redis-server ([StartRedis]), a primary with replicas and sentinels ([StartSentinel]), a cluster
// ([StartCluster]), and a proxy that loses answers ([StartLossy]).
package storetest
