package static

import (
	"cmp"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
)

// suffixes are the codings that a build may have made, the better first, and what it calls their files.
var suffixes = []struct{ coding, suffix string }{{"br", ".br"}, {"gzip", ".gz"}}

// copySlack is how much older than its original a sibling may be: copying a folder gives its files new times in any order.
// An older one is left over from another build.
const copySlack = 10 * time.Second

// precompressed opens the sibling of a file that the client likes best, if there is one.
func precompressed(files fs.FS, name string, original fs.FileInfo, accept []string) (coding string, file *content) {
	for _, coding := range codings(accept) {
		i := slices.IndexFunc(suffixes, func(s struct{ coding, suffix string }) bool { return s.coding == coding })
		file, err := open(files, name+suffixes[i].suffix)
		if err != nil {
			continue // whatever is wrong with it, the original is there
		}
		if original.ModTime().Sub(file.info.ModTime()) <= copySlack {
			return coding, file
		}
		file.Close()
	}
	return "", nil
}

// codings are those of ours that Accept-Encoding takes (RFC 9110, section 12.5.3) and does not rank behind sending the file as
// it is; the best liked first, and br where it is all the same. Entries that cannot be read count as not sent.
func codings(accept []string) []string {
	weights := map[string]float64{}
	for _, line := range accept {
		for entry := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(entry, ";")
			if q, ok := weight(params); ok {
				name = strings.ToLower(strings.TrimSpace(name))
				weights[strings.TrimPrefix(name, "x-")] = q // x-gzip is gzip (RFC 9110, section 8.4.1.3)
			}
		}
	}
	of := func(coding string) float64 {
		if q, ok := weights[coding]; ok {
			return q
		}
		return weights["*"]
	}
	var taken []string
	for _, s := range suffixes {
		// identity has a weight of its own only if it is named: * makes it no better than what it stands for.
		if q := of(s.coding); q > 0 && q >= weights["identity"] {
			taken = append(taken, s.coding)
		}
	}
	slices.SortStableFunc(taken, func(a, b string) int { return cmp.Compare(of(b), of(a)) })
	return taken
}

// weight reads ;q=0.8, which is 1 when it is missing (RFC 9110, section 12.4.2).
func weight(params string) (q float64, ok bool) {
	params = strings.TrimSpace(params)
	if params == "" {
		return 1, true
	}
	key, value, _ := strings.Cut(params, "=")
	q, err := strconv.ParseFloat(value, 64)
	return q, err == nil && strings.EqualFold(key, "q") && len(value) <= len("0.123") && q >= 0 && q <= 1
}
