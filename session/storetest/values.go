package storetest

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"cloakroom/session"
)

// runValues stores what a store must not look into.
func runValues(t *testing.T, open func(t *testing.T) Subject) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for name, sealed := range map[string][]byte{
		"empty":             {},
		"nil":               nil,
		"one NUL":           {0},
		"every byte":        all,
		"line ends":         []byte("\r\n$-1\r\n*0\r\n:0\r\n"),
		"not UTF-8":         []byte("\xff\xfe\xc0\x80"),
		"looks like a head": bytes.Repeat([]byte{0, 0, 0, 0, 0, 0, 0, 1}, 3),
		"a number":          []byte("42"),
		"64 KiB":            bytes.Repeat([]byte{0xa5}, 64<<10),
		"1 MiB":             bytes.Repeat([]byte{0x5a}, 1<<20),
	} {
		each(t, "sealed/"+name, open, func(t *testing.T, s Subject) { keepsSealed(t, s, sealed) })
		each(t, "info/"+name, open, func(t *testing.T, s Subject) { keepsInfo(t, s, sealed) })
	}
	for name, version := range map[string]uint64{
		"2^31": 1 << 31, "2^53, where floating point numbers end": 1 << 53, "2^63": 1 << 63, "2^64-1": math.MaxUint64,
	} {
		each(t, "version/"+name, open, func(t *testing.T, s Subject) { keepsVersion(t, s, version) })
	}
	for name, w := range map[string]session.WriteID{
		"zeros": {}, "line ends": session.WriteID([]byte("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n")), "not UTF-8": session.WriteID(bytes.Repeat([]byte{0xff}, 16)),
	} {
		each(t, "write ID/"+name, open, func(t *testing.T, s Subject) { keepsWrite(t, s, w) })
	}
	for name, claim := range map[string]string{
		"empty": "", "braces": "a{}b", "spaces and line ends": "a b\r\nc", "long": strings.Repeat("n", 4<<10), "NUL": "\x00",
	} {
		each(t, "claim/"+name, open, func(t *testing.T, s Subject) { claimsOnce(t, s, claim) })
	}
	each(t, "what the caller does with its bytes afterwards is its own business", open, ownsItsBytes)
}

// keepsSealed checks that a record comes back as it was.
func keepsSealed(t *testing.T, s Subject, sealed []byte) {
	r := &teller{t: t, Subject: s}
	want := session.Record{Version: 1, Write: write("A"), Sealed: sealed}
	if err := s.Store.Create(t.Context(), r.id("s"), want, s.Now().Add(time.Hour)); err != nil {
		t.Fatalf("create: %v", err)
	}
	same(t, s, r.id("s"), want)
	want = session.Record{Version: 2, Write: write("B"), Sealed: append(sealed, '!')}
	if err := s.Store.Update(t.Context(), r.id("s"), want); err != nil {
		t.Fatalf("update: %v", err)
	}
	same(t, s, r.id("s"), want)
}

// keepsInfo checks that a member comes back as it was, from both calls that list.
func keepsInfo(t *testing.T, s Subject, info []byte) {
	r := &teller{t: t, Subject: s}
	if err := s.Store.AddIndex(t.Context(), r.index("k"), session.Member{ID: r.id("s"), Info: info}, epoch, s.Now().Add(time.Hour)); err != nil {
		t.Fatalf("add: %v", err)
	}
	listed, err := s.Store.Members(t.Context(), r.index("k"))
	if err != nil || len(listed) != 1 || !bytes.Equal(listed[0].Info, info) {
		t.Errorf("members: %d, %v, want the info of %d bytes as it was", len(listed), err, len(info))
	}
	listed, err = s.Store.MarkIndex(t.Context(), r.index("k"), epoch, time.Hour)
	if err != nil || len(listed) != 1 || !bytes.Equal(listed[0].Info, info) {
		t.Errorf("mark: %d, %v, want the info of %d bytes as it was", len(listed), err, len(info))
	}
}

// keepsVersion checks that versions are compared exactly.
func keepsVersion(t *testing.T, s Subject, version uint64) {
	r := &teller{t: t, Subject: s}
	first := session.Record{Version: version - 1, Write: write("A")}
	if err := s.Store.Create(t.Context(), r.id("s"), first, s.Now().Add(time.Hour)); err != nil {
		t.Fatalf("create: %v", err)
	}
	far := session.Record{Version: version + 1, Write: write("X")}
	if got := answer("ok", s.Store.Update(t.Context(), r.id("s"), far)); got != "conflict" {
		t.Fatalf("update of %d by %d = %s, want conflict", version-1, version+1, got)
	}
	next := session.Record{Version: version, Write: write("B")}
	if err := s.Store.Update(t.Context(), r.id("s"), next); err != nil {
		t.Fatalf("update of %d by %d: %v", version-1, version, err)
	}
	same(t, s, r.id("s"), next)
}

// keepsWrite checks that a repeat is recognized by any write ID.
func keepsWrite(t *testing.T, s Subject, w session.WriteID) {
	r := &teller{t: t, Subject: s}
	rec := session.Record{Version: 1, Write: w, Sealed: []byte("x")}
	for i := range 2 {
		if err := s.Store.Create(t.Context(), r.id("s"), rec, s.Now().Add(time.Hour)); err != nil {
			t.Fatalf("create, time %d: %v", i+1, err)
		}
		if taken, err := s.Store.Lock(t.Context(), r.id("s"), w, time.Minute); !taken || err != nil {
			t.Fatalf("lock, time %d = %t, %v, want true", i+1, taken, err)
		}
	}
	same(t, s, r.id("s"), rec)
}

// claimsOnce checks that any name can be claimed, once.
func claimsOnce(t *testing.T, s Subject, name string) {
	r := &teller{t: t, Subject: s}
	name = r.name("claim") + name
	for _, c := range []struct {
		owner string
		want  bool
	}{{"A", true}, {"B", false}, {"A", true}} {
		if got, err := s.Store.Claim(t.Context(), name, write(c.owner), time.Minute); got != c.want || err != nil {
			t.Fatalf("claim %q by %s = %t, %v, want %t", name, c.owner, got, err, c.want)
		}
	}
}

// ownsItsBytes checks that a store neither keeps the caller's memory nor lends its own.
func ownsItsBytes(t *testing.T, s Subject) {
	r := &teller{t: t, Subject: s}
	rec := session.Record{Version: 1, Write: write("A"), Sealed: []byte("as it was")}
	if err := s.Store.Create(t.Context(), r.id("s"), rec, s.Now().Add(time.Hour)); err != nil {
		t.Fatalf("create: %v", err)
	}
	clear(rec.Sealed)
	read, err := s.Store.Read(t.Context(), r.id("s"))
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	clear(read.Sealed)
	same(t, s, r.id("s"), session.Record{Version: 1, Write: write("A"), Sealed: []byte("as it was")})
}

// same checks what is stored.
func same(t *testing.T, s Subject, id session.ID, want session.Record) {
	t.Helper()
	got, err := s.Store.Read(t.Context(), id)
	if err != nil || got.Version != want.Version || got.Write != want.Write || !bytes.Equal(got.Sealed, want.Sealed) {
		t.Errorf("read = version %d, write %x, %d bytes, %v; want version %d, write %x, %d bytes as they were",
			got.Version, got.Write, len(got.Sealed), err, want.Version, want.Write, len(want.Sealed))
	}
	both, left, err := s.Store.ReadTTL(t.Context(), id)
	if err != nil || both.Version != want.Version || both.Write != want.Write || !bytes.Equal(both.Sealed, want.Sealed) || left <= 0 || left > time.Hour {
		t.Errorf("read with its time to live = version %d, write %x, %d bytes, %v left, %v; want the same", both.Version, both.Write, len(both.Sealed), left, err)
	}
}
