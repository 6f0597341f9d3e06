package tokens

import "testing"

// AUZ-08, law 8: what is not said is the user's own token, or none; Cloakroom's own is never a default.
func TestOf(t *testing.T) {
	for name, c := range map[string]struct {
		config Config
		users  bool
		want   string
	}{
		"nothing said":                     {Config{Method: "auto"}, true, Session},
		"nothing said, without defaults":   {Config{}, true, Session},
		"nothing said and no users":        {Config{Method: "auto"}, false, None},
		"an audience":                      {Config{Method: "auto", Audience: "orders"}, true, Exchange},
		"a resource":                       {Config{Method: "auto", Resource: "https://orders.example"}, true, Exchange},
		"scopes":                           {Config{Method: "auto", Scopes: []string{"orders.read"}}, true, Exchange},
		"refresh":                          {Config{Method: "refresh", Resource: "https://orders.example"}, true, Refresh},
		"none":                             {Config{Method: "none"}, true, None},
		"our own":                          {Config{Method: "client"}, false, Client},
		"our own, for users":               {Config{Method: "client"}, true, Client},
		"an audience, where users may not": {Config{Method: "auto", Audience: "orders"}, false, Exchange},
	} {
		got := Of(c.config, c.users)
		if got.Method != c.want || (got.Key != "") != (got.Method == Client || got.Grant()) || (got.Asked != "") != (got.Method == Refresh) {
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		}
	}
}

// OAX-05, OAX-20: two tokens have one key only if they are the same token, however that is written.
func TestKeys(t *testing.T) {
	key := func(c Config) string { return Of(c, true).Key }
	if key(Config{Scopes: []string{"b", "a"}}) != key(Config{Method: "auto", Scopes: []string{"a", "b"}}) || key(Config{Audience: "x"}) != key(Config{Method: "exchange", Audience: "x"}) {
		t.Error("the same token has two keys")
	}
	seen := map[string]Config{}
	for _, c := range []Config{
		{Audience: "x"}, {Resource: "x"}, {Scopes: []string{"x"}}, {Method: "client", Audience: "x"}, {Method: "client"}, {Method: "refresh", Resource: "x"},
		{Audience: "x", Scopes: []string{"y"}}, {Audience: "xy"}, {Scopes: []string{"x", "y"}}, {Scopes: []string{"x y"}}, {Scopes: []string{"xy"}}, {Audience: "x", Resource: "y"}, {Resource: "x", Scopes: []string{"y"}},
	} {
		k := key(c)
		if other, ok := seen[k]; ok || len(k) != 16 {
			t.Errorf("%+v and %+v have the key %q", c, other, k)
		}
		seen[k] = c
	}
	if Mark("https://a.example") == Mark("https://a.example/") {
		t.Error("two resources have one mark")
	}
}
