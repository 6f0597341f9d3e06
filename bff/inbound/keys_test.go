package inbound

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// AUN-04: what a key looks like, and that every typo is one.
func TestKeysAreRandomAndChecked(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		text, k, err := NewKey(Key{Name: "n"})
		if err != nil {
			t.Fatal(err)
		}
		id, ok := parseKey(text)
		if !ok || id != k.ID || !IsKeyID(id) || len(text) != 65 || !strings.HasPrefix(text, "ck_"+id+"_") {
			t.Fatalf("%q: id %q, %v", text, id, ok)
		}
		if seen[id] || seen[text[16:59]] {
			t.Fatal("an ID or a secret comes twice")
		}
		seen[id], seen[text[16:59]] = true, true
		if KeyID(text) != id || KeyID(id) != id {
			t.Error("a key is not known by itself")
		}
	}
	text, _, _ := NewKey(Key{Name: "n"})
	for i := range len(text) {
		for _, c := range []byte("0aZ_-.\n") {
			if wrong := text[:i] + string(c) + text[i+1:]; wrong != text && isKey(wrong) {
				t.Errorf("%q passes for %q", wrong, text)
			}
		}
		if isKey(text[:i]) || isKey(text[:i]+text[i+1:]) || isKey(text+text[i:i+1]) {
			t.Errorf("a piece of %q, cut at %d, passes", text, i)
		}
	}
}

func TestWhatIsKeptOfAKeyIsNotTheKey(t *testing.T) {
	made := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, k := range []Key{
		{Name: "billing", Roles: []string{"support"}, Scopes: []string{"orders.read", "orders.write"}, Created: made, Expires: made.Add(time.Hour)},
		{Name: "for ever", Created: made},
	} {
		text, kept, err := NewKey(k)
		if err != nil {
			t.Fatal(err)
		}
		record := kept.Encode()
		if strings.Contains(string(record), text[16:59]) || !kept.matches(text) || kept.matches(text+"x") || kept.matches("") {
			t.Errorf("%s of %s", record, text)
		}
		again, err := DecodeKey(kept.ID, record)
		if err != nil || !reflect.DeepEqual(again, kept) {
			t.Errorf("got %+v, %v\nwant %+v", again, err, kept)
		}
	}
	for _, damaged := range []string{"", "{}", "null", `{"name":"x","hash":"AAAA"}`, `{"hash":7}`, "\x00"} {
		if _, err := DecodeKey("0123456789AB", []byte(damaged)); err == nil {
			t.Errorf("%q is a key", damaged)
		}
	}
	if _, err := DecodeKey("no id", Key{}.Encode()); err == nil {
		t.Error("a key under a name that is no ID")
	}
}

func TestWhatAKeyMayBe(t *testing.T) {
	now := time.Now()
	for name, k := range map[string]Key{
		"no name":                       {},
		"a name with a line break":      {Name: "a\nb"},
		"a role that is none":           {Name: "a", Roles: []string{""}},
		"two scopes in one":             {Name: "a", Scopes: []string{"a b"}},
		"a scope twice":                 {Name: "a", Scopes: []string{"a", "a"}},
		"an end before it begins":       {Name: "a", Created: now, Expires: now},
		"a name longer than any can be": {Name: strings.Repeat("a", 256)},
	} {
		if _, _, err := NewKey(k); err == nil {
			t.Errorf("%s: made", name)
		}
	}
}

func keyed(t *testing.T, c *clock, s *shelf) *Inbound {
	t.Helper()
	d := deps(c, nil)
	d.Keys = s
	in, err := New(Config{APIKey: APIKey{Header: "X-API-Key"}}, d)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// AUN-04: who has which key, and that only its ID is ever told.
func TestAPIKeys(t *testing.T) {
	c, s := newClock(), &shelf{}
	in := keyed(t, c, s)
	good, id := s.make(t, Key{Name: "billing", Roles: []string{"r"}, Scopes: []string{"s"}, Expires: c.now().Add(time.Hour)})
	over, overID := s.make(t, Key{Name: "old", Expires: c.now()})
	other, _ := s.make(t, Key{Name: "other"})
	body := good[:16] + other[16:59] // the ID of one, the secret of another
	for _, x := range []struct{ name, key, reason, caller string }{
		{"a key", good, "", ""},
		{"one that is over", over, ReasonKeyExpired, overID},
		{"one that nobody made", wholeKey(), ReasonKeyUnknown, "0123456789AB"},
		{"another secret under a known ID", body + checksum(body), ReasonKeyUnknown, id},
		{"a typo", good[:30] + "." + good[31:], ReasonKeyMalformed, ""},
		{"nothing", "", ReasonKeyMalformed, ""},
		{"a long text", strings.Repeat("ck_", 4000), ReasonKeyMalformed, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			before := s.asked()
			r := request("/")
			r.Header["X-Api-Key"] = []string{x.key}
			got, err := in.Identify(t.Context(), r, KindAPIKey)
			if x.reason == "" {
				want := &Caller{Kind: KindAPIKey, ID: id, Name: "billing", Subject: id, Roles: []string{"r"}, Scopes: []string{"s"}, Expires: c.now().Add(time.Hour)}
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v, %v, want %+v", got, err, want)
				}
				return
			}
			r2 := refusal(t, err)
			if got != nil || r2.Reason != x.reason || r2.Status != http.StatusUnauthorized || r2.Caller != x.caller || len(r2.Challenge) != 1 {
				t.Errorf("got %v, %+v, want %s about %q", got, r2, x.reason, x.caller)
			}
			if len(x.key) > 16 && strings.Contains(fmt.Sprintf("%+v %v", r2, err), x.key[16:min(len(x.key), 59)]) {
				t.Errorf("the error has the key: %v", err)
			}
			if asked := s.asked() != before; asked && x.reason == ReasonKeyMalformed {
				t.Error("the store was asked about a typo")
			}
		})
	}
}

func TestKeysNeedAStore(t *testing.T) {
	if _, err := New(Config{APIKey: APIKey{Header: "X-API-Key"}}, deps(newClock(), nil)); err == nil || !strings.Contains(err.Error(), "session.store") {
		t.Errorf("got %v", err)
	}
}

// AUN-04: the store is asked at most every half second about each ID, and a key that is revoked, or made, is known to be within it.
func TestAnswersOfTheStoreAreNotTrustedForLong(t *testing.T) {
	c, s := newClock(), &shelf{}
	in := keyed(t, c, s)
	text, id := s.make(t, Key{Name: "n"})
	ask := func() error {
		_, err := in.Identify(t.Context(), request("/", "X-API-Key: "+text), KindAPIKey)
		return err
	}
	for range 100 {
		if err := ask(); err != nil {
			t.Fatal(err)
		}
	}
	if s.asked() != 1 {
		t.Errorf("asked %d times within half a second, want 1", s.asked())
	}
	kept := s.keys[id]
	s.set(func() { delete(s.keys, id) })
	c.pass(499 * time.Millisecond)
	if err := ask(); err != nil {
		t.Errorf("before the answer is old: %v", err)
	}
	c.pass(time.Millisecond)
	for range 100 {
		if r := refusal(t, ask()); r.Reason != ReasonKeyUnknown {
			t.Fatalf("after half a second: %v", r)
		}
	}
	if s.asked() != 2 {
		t.Errorf("asked %d times, want once more: that there is no key is an answer, too", s.asked())
	}
	s.set(func() { s.keys[id] = kept })
	c.pass(keyFresh)
	if err := ask(); err != nil {
		t.Errorf("a key that is there again: %v", err)
	}
}

// An outage is no refusal, and is forgotten at once; whoever is known already is known for the half second.
func TestAStoreThatCannotBeAsked(t *testing.T) {
	c, s := newClock(), &shelf{}
	in := keyed(t, c, s)
	var counted []string
	in.keys.count = func(event string) { counted = append(counted, event) }
	text, _ := s.make(t, Key{Name: "n"})
	s.set(func() { s.err = errors.New("down") })
	_, err := in.Identify(t.Context(), request("/", "X-API-Key: "+text), KindAPIKey)
	if _, refused := errors.AsType[*Refusal](err); !errors.Is(err, ErrUnavailable) || refused || strings.Contains(err.Error(), text[16:]) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if fmt.Sprint(counted) != "["+EventStoreFailed+"]" {
		t.Errorf("counted %v", counted)
	}
	s.set(func() { s.err = nil })
	if _, err := in.Identify(t.Context(), request("/", "X-API-Key: "+text), KindAPIKey); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}

// A crowd asks once. A question that began before a revocation is not joined for ever, and one who goes away takes nobody along.
func TestACrowdAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{gate: make(chan struct{})}
		d := deps(newClock(), nil)
		d.Keys, d.Now = s, time.Now
		in, err := New(Config{APIKey: APIKey{Header: "X-API-Key"}}, d)
		if err != nil {
			t.Fatal(err)
		}
		text, id := s.make(t, Key{Name: "n"})
		answers := make(chan error, 100)
		ask := func() {
			_, err := in.Identify(t.Context(), request("/", "X-API-Key: "+text), KindAPIKey)
			answers <- err
		}
		for range 50 {
			go ask()
		}
		synctest.Wait()
		if s.asked() != 1 {
			t.Fatalf("asked %d times, want 1", s.asked())
		}
		time.Sleep(keyFresh)
		s.set(func() { delete(s.keys, id) }) // revoked, while a slow answer from before is on its way
		go ask()
		synctest.Wait()
		if s.asked() != 2 {
			t.Fatalf("asked %d times, want 2: the first question is too old", s.asked())
		}
		close(s.gate)
		refused := 0
		for range 51 {
			if err := <-answers; err != nil {
				refused++
			}
		}
		if refused != 1 {
			t.Errorf("%d refused, want the last one", refused)
		}
		go ask()
		if err := <-answers; err == nil {
			t.Error("the old answer stands")
		}
	})
}

// Who makes IDs up fills no memory and pushes out no key that there is.
func TestMadeUpIDsAreBounded(t *testing.T) {
	c, s := newClock(), &shelf{}
	in := keyed(t, c, s)
	text, _ := s.make(t, Key{Name: "n"})
	ask := func(key string) {
		_, _ = in.Identify(t.Context(), request("/", "X-API-Key: "+key), KindAPIKey)
	}
	ask(text)
	for i := range 3 * keysKept {
		body := fmt.Sprintf("ck_%012d%s", i, aKey[15:])
		ask(body + checksum(body))
	}
	if in.keys.none.Len() > keysKept || len(in.keys.flights) != 0 {
		t.Errorf("%d answers are kept, %d questions", in.keys.none.Len(), len(in.keys.flights))
	}
	before := s.asked()
	if ask(text); s.asked() != before {
		t.Error("the key that there is was pushed out")
	}
}

// The store's word on time is as little trusted as the clock: a key ends on time although it was read before.
func TestAKeyEndsOnTime(t *testing.T) {
	c, s := newClock(), &shelf{}
	in := keyed(t, c, s)
	text, _ := s.make(t, Key{Name: "n", Expires: c.now().Add(100 * time.Millisecond)})
	for _, want := range []string{"", ReasonKeyExpired} {
		_, err := in.Identify(t.Context(), request("/", "X-API-Key: "+text), KindAPIKey)
		if got := ""; err != nil {
			if got = refusal(t, err).Reason; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		} else if want != "" {
			t.Errorf("taken, want %s", want)
		}
		c.pass(100 * time.Millisecond)
	}
}

// A key that parses is one that NewKey could have made: nothing else has its form.
func FuzzParseKey(f *testing.F) {
	f.Add(wholeKey())
	f.Add(aKey)
	f.Add("ck__" + strings.Repeat("-", 61))
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := parseKey(text)
		if !ok {
			return
		}
		body := text[:len(text)-keyChecksum]
		if !IsKeyID(id) || text != "ck_"+id+"_"+body[16:]+checksum(body) || strings.ContainsAny(text, " \r\n%&=") {
			t.Fatalf("%q is a key", text)
		}
	})
}
