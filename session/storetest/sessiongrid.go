package storetest

// sessionGrid is one session in each state. A is the write that created it, B and C updated it, X is a stranger's.
var sessionGrid = grid{
	look: "read s",
	calls: []string{
		"read s", "ttl s", "create s A 1h", "create s X 1h", "update s 2B", "update s 2X", "update s 3C", "update s 3X", "update s 1Y",
		"touch s 2h", "touch s 1m", "end s 10m", "lock s L 1m", "unlock s L",
	},
	states: []state{
		{"never created", "",
			"none none ok>1A ok>1X none none none none none false false false true ok", "none"},
		{"created", "create s A 1h = ok",
			"1A 1h ok conflict ok>2B ok>2X conflict conflict conflict true false true>none true ok", "1A"},
		{"updated", `
			create s A 1h = ok
			update s 2B = ok`,
			"2B 1h conflict conflict ok conflict ok>3C ok>3X conflict true false true>none true ok", "2B"},
		{"updated twice", `
			create s A 1h = ok
			update s 2B = ok
			update s 3C = ok`,
			"3C 1h conflict conflict conflict conflict ok conflict conflict true false true>none true ok", "3C"},
		{"created and its answer lost", `
			create s A 1h = ok
			create s A 1h = ok`,
			"1A 1h ok conflict ok>2B ok>2X conflict conflict conflict true false true>none true ok", "1A"},
		{"updated and its answer lost", `
			create s A 1h = ok
			update s 2B = ok
			update s 2B = ok`,
			"2B 1h conflict conflict ok conflict ok>3C ok>3X conflict true false true>none true ok", "2B"},
		{"an update of a version that it has not was refused", `
			create s A 1h = ok
			update s 3C = conflict`,
			"1A 1h ok conflict ok>2B ok>2X conflict conflict conflict true false true>none true ok", "1A"},
		{"touched", `
			create s A 10m = ok
			touch s 1h = true`,
			"1A 1h ok conflict ok>2B ok>2X conflict conflict conflict true false true>none true ok", "1A"},
		{"touched by less than it had", `
			create s A 1h = ok
			touch s 1m = false`,
			"1A 1h ok conflict ok>2B ok>2X conflict conflict conflict true false true>none true ok", "1A"},
		{"touched, then updated", `
			create s A 10m = ok
			touch s 1h = true
			update s 2B = ok`,
			"2B 1h conflict conflict ok conflict ok>3C ok>3X conflict true false true>none true ok", "2B"},
		{"ended", `
			create s A 1h = ok
			end s 10m = true`,
			"none none ended ended none none none none none false false false true ok", "none"},
		{"updated, then ended", `
			create s A 1h = ok
			update s 2B = ok
			end s 10m = true`,
			"none none ended ended none none none none none false false false true ok", "none"},
		{"ended before it was created", "end s 10m = false",
			"none none ended ended none none none none none false false false true ok", "none"},
		{"ended twice", `
			create s A 1h = ok
			end s 10m = true
			end s 10m = false`,
			"none none ended ended none none none none none false false false true ok", "none"},
		{"ended again with a shorter mark", `
			end s 10m = false
			end s short = false
			create t A short = ok
			until read t = none`,
			"none none ended ended none none none none none false false false true ok", "none"},
		{"expired", `
			create s A short = ok
			until read s = none`,
			"none none ok>1A ok>1X none none none none none false false false true ok", "none"},
		{"updated, then expired: an update keeps the expiry", `
			create s A short = ok
			update s 2B = ok
			until read s = none`,
			"none none ok>1A ok>1X none none none none none false false false true ok", "none"},
		{"created to expire in the past", "create s A -1m = ok",
			"none none ok>1A ok>1X none none none none none false false false true ok", "none"},
		{"expired, then created", `
			create s A short = ok
			until read s = none
			create s X 1h = ok`,
			"1X 1h conflict ok ok>2B ok>2X conflict conflict conflict true false true>none true ok", "1X"},
		{"its mark passed", `
			create s A 1h = ok
			end s short = true
			until create s X 1h = ok`,
			"1X 1h conflict ok ok>2B ok>2X conflict conflict conflict true false true>none true ok", "1X"},
	},
}
