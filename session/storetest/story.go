package storetest

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cloakroom/session"
)

// epoch is second 0 of `issued`.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// teller tells one story to one store.
type teller struct {
	t testing.TB
	Subject
	due time.Time // when the last `short` ends
}

// tell runs a story line by line.
func tell(t testing.TB, s Subject, story string) {
	t.Helper()
	r := &teller{t: t, Subject: s}
	for line := range strings.Lines(story) {
		if line = strings.TrimSpace(line); line != "" {
			r.line(line)
		}
	}
}

// line runs one line.
func (r *teller) line(line string) {
	r.t.Helper()
	call, want, ok := strings.Cut(line, " = ")
	if !ok {
		r.t.Fatalf("line %q has no answer", line)
	}
	if rest, found := strings.CutPrefix(call, "until "); found {
		r.until(rest, want)
		return
	}
	if got := r.call(call); got != want {
		r.t.Fatalf("%s = %s, want %s", call, got, want)
	}
}

// until repeats a call until its answer is want, and fails if that comes early, or not within half a minute.
func (r *teller) until(call, want string) {
	r.t.Helper()
	due := r.due
	for limit := time.Now().Add(30 * time.Second); r.call(call) != want; r.Pass() {
		if time.Now().After(limit) {
			r.t.Fatalf("%s never became %s", call, want)
		}
	}
	// Redis counts in milliseconds, on a clock that it reads once a command.
	if early := due.Sub(r.Now()); early > 5*time.Millisecond {
		r.t.Fatalf("%s became %s %s too early", call, want, early)
	}
}

// call makes one call and returns its answer as a story writes it.
func (r *teller) call(call string) string {
	r.t.Helper()
	f := strings.Fields(call)
	switch ctx, st := r.t.Context(), r.Store; f[0] {
	case "create":
		return answer("ok", st.Create(ctx, r.id(f[1]), record("1"+f[2]), r.time(f[3])))
	case "update":
		return answer("ok", st.Update(ctx, r.id(f[1]), record(f[2])))
	case "read":
		rec, err := st.Read(ctx, r.id(f[1]))
		return answer(r.describe(rec), err)
	case "readttl":
		rec, left, err := st.ReadTTL(ctx, r.id(f[1]))
		return answer(r.describe(rec)+" "+rounded(left), err)
	case "ttl":
		left, err := st.TTL(ctx, r.id(f[1]))
		return answer(rounded(left), err)
	case "ttls":
		return r.ttls(f[1:])
	case "touch":
		moved, err := st.Touch(ctx, r.id(f[1]), r.time(f[2]))
		return answer(fmt.Sprint(moved), err)
	case "prolong":
		moved, err := st.Prolong(ctx, r.id(f[1]), r.time(f[2]))
		return answer(fmt.Sprint(moved), err)
	case "end":
		reason := "logout"
		if len(f) > 3 {
			reason = f[3]
		}
		existed, err := st.End(ctx, r.id(f[1]), r.duration(f[2]), reason)
		return answer(fmt.Sprint(existed), err)
	case "why":
		reason, err := st.Why(ctx, r.id(f[1]))
		return answer(reason, err)
	case "add":
		m := session.Member{ID: r.id(f[2]), Info: []byte("info of " + f[2])}
		return answer("ok", st.AddIndex(ctx, r.index(f[1]), m, second(r.t, f[3]), r.time(f[4])))
	case "within":
		m := session.Member{ID: r.id(f[2]), Info: []byte("info of " + f[2])}
		over, err := st.AddWithin(ctx, r.index(f[1]), m, second(r.t, f[3]), r.time(f[4]), r.limit(f[5:]))
		return answer(r.list(over), err)
	case "drop":
		return answer("ok", st.DropIndex(ctx, r.index(f[1]), r.id(f[2])))
	case "members":
		members, err := st.Members(ctx, r.index(f[1]))
		return answer(r.list(members), err)
	case "mark":
		members, err := st.MarkIndex(ctx, r.index(f[1]), second(r.t, f[2]), r.duration(f[3]))
		return answer(r.list(members), err)
	case "lock":
		taken, err := st.Lock(ctx, r.id(f[1]), write(f[2]), r.duration(f[3]))
		return answer(fmt.Sprint(taken), err)
	case "unlock":
		return answer("ok", st.Unlock(ctx, r.id(f[1]), write(f[2])))
	case "claim":
		first, err := st.Claim(ctx, r.name(f[1]), write(f[2]), r.duration(f[3]))
		return answer(fmt.Sprint(first), err)
	}
	r.t.Fatalf("no such call: %s", call)
	return ""
}

// answer is the answer's word: value, unless there is an error.
func answer(value string, err error) string {
	for word, state := range map[string]error{
		"none": session.ErrNone, "conflict": session.ErrConflict, "ended": session.ErrEnded,
		"full": session.ErrFull, "many": session.ErrTooMany, "corrupt": session.ErrCorrupt,
	} {
		if errors.Is(err, state) {
			return word
		}
	}
	if err != nil {
		return "error: " + err.Error()
	}
	return value
}

// name makes a word of a story the case's own: cases share a server.
func (r *teller) name(word string) string {
	sum := sha256.Sum256([]byte(r.t.Name() + "\x00" + word))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (r *teller) id(word string) session.ID { return session.ID(r.name("session " + word)) }
func (r *teller) index(word string) session.IndexKey {
	return session.IndexKey(r.name("index " + word))
}

// record is the record that a story calls 2B: version 2 by write B.
func record(word string) session.Record {
	return session.Record{Version: uint64(word[0] - '0'), Write: write(word[1:]), Sealed: []byte("sealed by " + word[1:])}
}

// describe is record's inverse. It also compares what is sealed.
func (r *teller) describe(rec session.Record) string {
	if rec.Version == 0 {
		return "nothing"
	}
	word := fmt.Sprintf("%d%c", rec.Version, rec.Write[0])
	if string(rec.Sealed) != "sealed by "+word[1:] {
		return fmt.Sprintf("%s with %q", word, rec.Sealed)
	}
	return word
}

// write is a write ID or an owner.
func write(word string) session.WriteID {
	return session.WriteID([]byte(strings.Repeat(word, 16)))
}

// second is a time of issue.
func second(t testing.TB, word string) time.Time {
	t.Helper()
	d, err := time.ParseDuration(word + "s")
	if err != nil {
		t.Fatalf("%q is no second: %v", word, err)
	}
	return epoch.Add(d)
}

// duration reads a duration of a story.
func (r *teller) duration(word string) time.Duration {
	r.t.Helper()
	if word == "short" {
		r.due = r.Now().Add(r.Short)
		return r.Short
	}
	d, err := time.ParseDuration(word)
	if err != nil {
		r.t.Fatalf("%q is no duration: %v", word, err)
	}
	return d
}

// time is that long from now.
func (r *teller) time(word string) time.Time {
	r.t.Helper()
	return r.Now().Add(r.duration(word))
}

// rounded is a time to live up to the next minute, as a story writes it: 1h, 30m.
func rounded(left time.Duration) string {
	word := strings.TrimSuffix((left + time.Minute - 1).Truncate(time.Minute).String(), "0s")
	if strings.HasSuffix(word, "h0m") {
		return strings.TrimSuffix(word, "0m")
	}
	return word
}

// list is an index' members as a story writes them.
func (r *teller) list(members []session.Member) string {
	if len(members) == 0 {
		return "nobody"
	}
	words := make([]string, 0, len(members))
	for _, m := range members {
		word := strings.TrimPrefix(string(m.Info), "info of ")
		if r.id(word) != m.ID {
			word = fmt.Sprintf("%s with %q", m.ID, m.Info)
		}
		words = append(words, word)
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}
