package configs

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// A reload reads the whole file, beside the requests: a route costs no more than it must. Reading the tags anew for each key was most of it, ten times as much.
func TestWhatARouteCostsToRead(t *testing.T) {
	read := func(routes int) float64 {
		var b strings.Builder
		b.WriteString(`server: {public_url: "https://a.example"}
providers: {main: {issuer: "https://id.example.com", client_id: spa, client_secret: b7Kq2Zt9Xw4Lm6Rc}}
session: {store: memory, secrets: [Vt4mQz8LwXn2Rk7Yc5Hs9Jd3Gb6Pf1Ta]}
routes:
`)
		for i := range routes {
			fmt.Fprintf(&b, "  # what it is for\n  - path: /r%d/\n    upstream: http://127.0.0.1:9000\n    auth: none\n", i)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := Parse("many.yaml", []byte(b.String()), nil); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return float64(after.TotalAlloc - before.TotalAlloc)
	}
	read(1)                                                   // what is made once
	if each := (read(220) - read(20)) / 200; each > 100<<10 { // it is 29 KB, and 82 where races are looked for
		t.Errorf("%.0f bytes for each route", each)
	}
}

// A file of another kind altogether is refused in no time: after the hundredth mistake nobody asks what was meant.
func TestWhatIsAllWrongCostsLittle(t *testing.T) {
	wrong := func(keys int) float64 {
		var b strings.Builder
		for i := range keys {
			fmt.Fprintf(&b, "k%d: v\n", i)
		}
		return testing.AllocsPerRun(3, func() {
			if _, err := Parse("wrong.yaml", []byte(b.String()), nil); err == nil {
				t.Fatal("nothing is wrong")
			}
		})
	}
	if each := (wrong(1000) - wrong(500)) / 500; each > 60 {
		t.Errorf("%.0f allocations for each key", each)
	}
}
