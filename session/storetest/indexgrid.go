package storetest

// indexGrid is one index in each state. Marks and times of issue are in seconds.
var indexGrid = grid{
	look: "members k",
	calls: []string{
		"members k", "add k s 4 1h", "add k s 5 1h", "add k s 5.001 1h", "add k n 6 1h", "add k n 4.999 1h",
		"drop k s", "drop k n", "mark k 3 10m", "mark k 5 10m", "mark k 9 10m",
	},
	states: []state{
		{"empty", "",
			"nobody ok>s ok>s ok>s ok>n ok>n ok ok nobody nobody nobody", "nobody"},
		{"one member", "add k s 4 1h = ok",
			"s ok ok ok ok>n,s ok>n,s ok>nobody ok s s s", "s"},
		{"one member, added twice", `
			add k s 4 1h = ok
			add k s 4 1h = ok`,
			"s ok ok ok ok>n,s ok>n,s ok>nobody ok s s s", "s"},
		{"two members", `
			add k s 4 1h = ok
			add k t 4 1h = ok`,
			"s,t ok ok ok ok>n,s,t ok>n,s,t ok>t ok s,t s,t s,t", "s t"},
		{"a member dropped", `
			add k s 4 1h = ok
			add k t 4 1h = ok
			drop k s = ok`,
			"t ok>s,t ok>s,t ok>s,t ok>n,t ok>n,t ok ok t t t", "t"},
		{"everybody dropped", `
			add k s 4 1h = ok
			drop k s = ok`,
			"nobody ok>s ok>s ok>s ok>n ok>n ok ok nobody nobody nobody", "nobody"},
		{"marked at 5 while empty", "mark k 5 10m = nobody",
			"nobody ended ended ok>s ok>n ended ok ok nobody nobody nobody", "nobody"},
		{"marked at 5 with a member", `
			add k s 4 1h = ok
			mark k 5 10m = s`,
			"s ended ended ok ok>n,s ended ok>nobody ok s s s", "s"},
		{"marked at 3, then at 5", `
			mark k 3 10m = nobody
			mark k 5 10m = nobody`,
			"nobody ended ended ok>s ok>n ended ok ok nobody nobody nobody", "nobody"},
		{"marked at 5, then at 3: the later stays", `
			mark k 5 10m = nobody
			mark k 3 10m = nobody`,
			"nobody ended ended ok>s ok>n ended ok ok nobody nobody nobody", "nobody"},
		{"marked at 5, then at 5 for a shorter time: the longer stays", `
			mark k 5 10m = nobody
			mark k 5 short = nobody
			create t A short = ok
			until read t = none`,
			"nobody ended ended ok>s ok>n ended ok ok nobody nobody nobody", "nobody"},
		{"marked at 5 for a short time, then at 3 for a longer one", `
			mark k 5 short = nobody
			mark k 3 10m = nobody
			create t A short = ok
			until read t = none`,
			"nobody ended ended ok>s ok>n ended ok ok nobody nobody nobody", "nobody"},
		{"its mark passed", `
			mark k 5 short = nobody
			until add k t 1 1h = ok`,
			"t ok>s,t ok>s,t ok>s,t ok>n,t ok>n,t ok ok t t t", "t"},
		{"expired", `
			add k s 4 short = ok
			until members k = nobody`,
			"nobody ok>s ok>s ok>s ok>n ok>n ok ok nobody nobody nobody", "nobody"},
		{"a longer member keeps the index", `
			add k s 4 1h = ok
			add k t 4 short = ok
			drop k t = ok
			create t A short = ok
			until read t = none`,
			"s ok ok ok ok>n,s ok>n,s ok>nobody ok s s s", "s"},
		{"a later member extends the index", `
			add k t 4 short = ok
			add k s 4 1h = ok
			drop k t = ok
			create t A short = ok
			until read t = none`,
			"s ok ok ok ok>n,s ok>n,s ok>nobody ok s s s", "s"},
		{"another index is marked", "mark j 9 10m = nobody",
			"nobody ok>s ok>s ok>s ok>n ok>n ok ok nobody nobody nobody", "nobody"},
		{"the session was ended: its index does not know", `
			add k s 4 1h = ok
			end s 10m = false`,
			"s ok ok ok ok>n,s ok>n,s ok>nobody ok s s s", "s"},
	},
}
