package static

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"testing"
)

func TestHashedNames(t *testing.T) {
	for name, want := range map[string]bool{
		"assets/index-DiwrgTda.js": true, "assets/index-4sK3E3Wk.css": true, "assets/index-B-f3_x9Q.js": true, "assets/a-b-c-Dq81_-xZ.woff2": true,
		"assets/index-a1b2c3d4.js": true, "app/assets/index-DiwrgTda.js": true, "assets/fonts/x-DiwrgTda.woff2": true, "assets/index-legacy-CkW9xLq2.js": true,
		"assets/index-DiwrgTda.js.map": true, "assets/index-DiwrgTdaXq93kLm2.js": true, "assets/index.worker-DiwrgTda.mjs": true,

		"assets/jquery-slim.min.js": false, "assets/jquery.min.js": false, "assets/hero-portrait.jpg": false, "assets/logo-1280x720.png": false,
		"assets/report-20240131.pdf": false, "assets/report-24-01-31.pdf": false, "assets/Inter-SemiBold.woff2": false, "assets/Inter-Variable.woff2": false,
		"assets/Inter-Bold2019.woff2": false, "assets/inter-latin-ext.woff2": false, "assets/book-chapter1.svg": false, "assets/photo-iPhone15.jpg": false,
		"assets/LICENSE-APACHE-2.0.txt": false, "assets/x-short.js": false, "assets/index-DiwrgTd.js": false, "assets/DiwrgTda.js": false, "assets/-DiwrgTda.js": false,
		"assets/index.DiwrgTda.js": false, "index-DiwrgTda.js": false, "myassets/index-DiwrgTda.js": false, "static/index-DiwrgTda.js": false,
		"assets/index-DiwrgTda": false, "assets/page-DiwrgTda.html": false, "assets-DiwrgTda.js": false,
	} {
		if got := hashed(name); got != want {
			t.Errorf("hashed(%q) is %v", name, got)
		}
	}
}

// Hashes are random text, so a few look like words. They may not be many.
func TestNearlyEveryHashIsTakenForOne(t *testing.T) {
	const n = 10000
	missed := 0
	for i := range uint64(n) {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, i))
		if !hashed("assets/index-" + base64.RawURLEncoding.EncodeToString(sum[:6]) + ".js") {
			missed++
		}
	}
	t.Logf("%d of %d missed", missed, n)
	if missed > n*3/100 {
		t.Errorf("%d of %d missed", missed, n)
	}
}
