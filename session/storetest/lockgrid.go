package storetest

// lockGrid is the lock of one session. The look takes it for a stranger: true where it is free.
var lockGrid = grid{
	look:  "lock s Z 1m",
	calls: []string{"lock s A 1m", "lock s B 1m", "unlock s A", "unlock s B", "lock t B 1m"},
	states: []state{
		{"free", "",
			"true>false true>false ok ok true", "true"},
		{"taken by A", "lock s A 1m = true",
			"true false ok>true ok true", "false"},
		{"taken by A, whose answer was lost", `
			lock s A 1m = true
			lock s A 1m = true`,
			"true false ok>true ok true", "false"},
		{"taken by A, then freed", `
			lock s A 1m = true
			unlock s A = ok`,
			"true>false true>false ok ok true", "true"},
		{"taken by A, then freed twice", `
			lock s A 1m = true
			unlock s A = ok
			unlock s A = ok`,
			"true>false true>false ok ok true", "true"},
		{"taken by A, a stranger tries to free it", `
			lock s A 1m = true
			unlock s B = ok`,
			"true false ok>true ok true", "false"},
		{"taken by A, renewed after a short lease", `
			lock s A short = true
			lock s A 1m = true
			create t A short = ok
			until read t = none`,
			"true false ok>true ok true", "false"},
		{"the lease of B passed and A took it", `
			lock s B short = true
			until lock s A 1m = true`,
			"true false ok>true ok true", "false"},
		{"the lease of B passed, A took it, B comes late to free it", `
			lock s B short = true
			until lock s A 1m = true
			unlock s B = ok`,
			"true false ok>true ok true", "false"},
		{"the session was ended while A holds it", `
			create s A 1h = ok
			lock s A 1m = true
			end s 10m = true`,
			"true false ok>true ok true", "false"},
	},
}

// claimGrid is one name that can be claimed once.
var claimGrid = grid{
	look:  "claim n Z 1m",
	calls: []string{"claim n A 1m", "claim n B 1m", "claim o B 1m"},
	states: []state{
		{"free", "",
			"true>false true>false true", "true"},
		{"claimed by A", "claim n A 1m = true",
			"true false true", "false"},
		{"claimed by A, whose answer was lost", `
			claim n A 1m = true
			claim n A 1m = true`,
			"true false true", "false"},
		{"claimed by A, B came late", `
			claim n A 1m = true
			claim n B 1m = false`,
			"true false true", "false"},
		{"the claim of B passed and A has it", `
			claim n B short = true
			until claim n A 1m = true`,
			"true false true", "false"},
		{"a later claim for a shorter time does not shorten it", `
			claim n A 1m = true
			claim n A short = true
			create t A short = ok
			until read t = none`,
			"true false true", "false"},
	},
}
