package storetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloakroom/session"
)

// limitStories are about how many members an index may have. Time that passes is that of the grace: 0s is always over.
var limitStories = []story{
	{"below the limit nobody has to go", `
		within k s 5 1h 2 end = nobody
		within k t 5 1h 2 end = nobody
		members k = s t`},
	{"the oldest has to go, and stays a member until it has ended", `
		add k s 5 1h = ok
		within k t 5 1h 2 end = nobody
		within k u 5 1h 2 end = s
		members k = s t u
		within k v 5 1h 2 end = s t
		drop k s = ok
		drop k t = ok
		within k w 5 1h 2 end = u`},
	{"order is that of arrival, whatever the lifetimes and the provider's clock", `
		within k s 9 12h 2 end = nobody
		within k t 7 1h 2 end = nobody
		within k u 5 6h 2 end = s`},
	{"a repeat counts once and keeps its place", `
		within k s 5 1h 1 end = nobody
		within k s 5 1h 1 end = nobody
		within k t 5 1h 1 end = s
		within k s 5 1h 1 end = nobody
		within k u 5 1h 1 end = s t`},
	{"a lower limit than before takes all that are too many", `
		add k s 5 1h = ok
		add k t 5 1h = ok
		add k u 5 1h = ok
		within k v 5 1h 1 end = s t u`},
	{"a further one is refused and leaves no trace", `
		within k s 5 1h 2 refuse = nobody
		within k t 5 1h 2 refuse = nobody
		within k u 5 1h 2 refuse = many
		within k u 5 1h 2 refuse = many
		members k = s t
		drop k s = ok
		within k u 5 1h 2 refuse = nobody`},
	{"a repeat of what was taken is not refused", `
		within k s 5 1h 1 refuse = nobody
		within k s 5 1h 1 refuse = nobody
		within k t 5 1h 1 refuse = many`},
	{"what is gone does not count and is dropped", `
		add k s 5 1h = ok
		add k t 5 1h = ok
		within k u 5 1h 2 refuse gone=s grace=0s = nobody
		members k = t u
		within k v 5 1h 2 end gone=t grace=0s = nobody
		members k = u v`},
	{"what is gone but young counts: its session may be about to be created", `
		add k s 5 1h = ok
		within k t 5 1h 1 refuse gone=s grace=1m = many
		within k t 5 1h 1 end gone=s grace=1m = s
		members k = s t`},
	{"what leaves does not count, and stays to be ended", `
		add k s 5 1h = ok
		add k t 5 1h = ok
		within k u 5 1h 2 refuse leaving=t = nobody
		members k = s t u
		within k v 5 1h 3 end leaving=t = nobody
		within k w 5 1h 2 end leaving=t leaving=u = s`},
	{"what has expired does not count", `
		add k s 5 1h = ok
		add k t 5 short = ok
		until within k u 5 1h 2 refuse = nobody
		members k = s u`},
	{"a mark refuses first", `
		add k s 4 1h = ok
		mark k 5 10m = s
		within k t 5 1h 1 end = ended
		within k t 5 1h 1 refuse = ended
		within k t 6 1h 1 end = s`},
	{"indexes do not count each other's members", `
		within j s 5 1h 1 refuse = nobody
		within k s 5 1h 1 refuse = nobody`},
	{"times to live come in the order in which they were asked for", `
		create s A 1h = ok
		create t A 3h = ok
		create u A 2h = ok
		end u 10m = true
		ttls t u s v t = 3h none 1h none 3h`},
}

// limit reads a limit as a story writes it: 2 refuse gone=s leaving=t grace=0s.
func (r *teller) limit(words []string) (l session.Limit) {
	r.t.Helper()
	var err error
	if l.Max, err = strconv.Atoi(words[0]); err != nil {
		r.t.Fatalf("%q is no limit", words[0])
	}
	l.Grace = time.Minute
	for _, word := range words[1:] {
		switch name, value, _ := strings.Cut(word, "="); name {
		case "end":
		case "refuse":
			l.Refuse = true
		case "gone":
			l.Gone = append(l.Gone, r.id(value))
		case "leaving":
			l.Leaving = append(l.Leaving, r.id(value))
		case "grace":
			l.Grace = r.duration(value)
		default:
			r.t.Fatalf("a limit has no %q", word)
		}
	}
	return l
}

// ttls asks for several times to live at once, and holds them to what they are alone.
func (r *teller) ttls(names []string) string {
	r.t.Helper()
	var ids []session.ID
	for _, name := range names {
		ids = append(ids, r.id(name))
	}
	left, err := r.Store.TTLs(r.t.Context(), ids)
	if err != nil || len(left) != len(ids) {
		return answer(fmt.Sprintf("%d answers", len(left)), err)
	}
	var words []string
	for _, ttl := range left {
		if ttl == 0 {
			words = append(words, "none")
			continue
		}
		words = append(words, rounded(ttl))
	}
	return strings.Join(words, " ")
}

// limitHolds is the race of a user's sign-ins: as many as may are not told to go, or not refused.
func limitHolds(r *teller) {
	const most = 3
	expires := r.Now().Add(time.Hour)
	for _, refuse := range []bool{false, true} {
		limit := session.Limit{Max: most, Refuse: refuse, Grace: time.Minute}
		key := r.index(fmt.Sprint(refuse))
		gone := make(chan session.ID, writers*writers)
		answers := together(func(w int) string {
			m := session.Member{ID: r.id(letter(w)), Info: []byte("info of " + letter(w))}
			over, err := r.Store.AddWithin(r.t.Context(), key, m, second(r.t, "5"), expires, limit)
			for _, m := range over {
				gone <- m.ID
			}
			return answer("ok", err)
		})
		close(gone)
		var told []session.ID
		for id := range gone {
			if !slices.Contains(told, id) {
				told = append(told, id)
			}
		}
		if staying := answers["ok"] - len(told); staying != most || answers["ok"]+answers["many"] != writers || refuse == (answers["many"] == 0) {
			r.t.Fatalf("refuse %t: answers %v, %d told to go; want %d to stay", refuse, answers, len(told), most)
		}
	}
}
