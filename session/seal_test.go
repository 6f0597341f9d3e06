package session

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"cloakroom/configs/secret"
)

const (
	ticketA = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	ticketB = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA"
)

func mustSealer(t testing.TB, secrets ...secret.String) *sealer {
	t.Helper()
	s, err := newSealer(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealOpensOnlyWhereItBelongs(t *testing.T) {
	one, other := mustSealer(t, testSecrets[0]), mustSealer(t, testSecrets[1])
	keyA, idA, _ := parseTicket(ticketA)
	keyB, idB, _ := parseTicket(ticketB)
	deadline := time.UnixMilli(1_700_000_000_000).UTC()
	sealed, err := one.seal(keyA, idA, 3, deadline, []byte("the tokens"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("tokens")) {
		t.Fatal("SES-08: the content is readable")
	}
	changed := func(at int, to byte) []byte { b := slices.Clone(sealed); b[at] = to; return b }
	for name, tt := range map[string]struct {
		by      *sealer
		key     ticketKey
		id      ID
		version uint64
		sealed  []byte
		want    error
	}{
		"at home":                                  {one, keyA, idA, 3, sealed, nil},
		"SES-08: under another session's ID":       {one, keyA, idB, 3, sealed, errForged},
		"SES-08: with another ticket":              {one, keyB, idA, 3, sealed, errForged},
		"SES-08: as an earlier version":            {one, keyA, idA, 2, sealed, errForged},
		"SES-08: as a later version":               {one, keyA, idA, 4, sealed, errForged},
		"SES-08: with a secret that is not here":   {other, keyA, idA, 3, sealed, errSecret},
		"SES-08: with its deadline stretched":      {one, keyA, idA, 3, changed(1+secretIDSize+2, 0xff), errForged},
		"SES-09: of a format of tomorrow":          {one, keyA, idA, 3, changed(0, 2), errFormat},
		"SES-09: of a format of yesterday":         {one, keyA, idA, 3, changed(0, 0), errFormat},
		"SES-09: nothing":                          {one, keyA, idA, 3, nil, errFormat},
		"SES-09: cut off in the head":              {one, keyA, idA, 3, sealed[:headSize-1], errForged},
		"SES-09: a head only":                      {one, keyA, idA, 3, sealed[:headSize], errForged},
		"SES-09: cut off in the tag":               {one, keyA, idA, 3, sealed[:len(sealed)-1], errForged},
		"SES-09: with a byte more":                 {one, keyA, idA, 3, append(slices.Clone(sealed), 0), errForged},
		"another secret is added, in second place": {mustSealer(t, testSecrets...), keyA, idA, 3, sealed, nil},
		"another secret is moved to first place":   {mustSealer(t, testSecrets[1], testSecrets[0]), keyA, idA, 3, sealed, nil},
	} {
		t.Run(name, func(t *testing.T) {
			content, when, err := tt.by.open(tt.key, tt.id, tt.version, tt.sealed)
			if !errors.Is(err, tt.want) {
				t.Fatalf("open = %v, want %v", err, tt.want)
			}
			if err == nil && (string(content) != "the tokens" || !when.Equal(deadline)) {
				t.Errorf("open = %q until %v", content, when)
			}
		})
	}
}

// SES-08, BBA-6.1-10: no flipped byte goes unnoticed.
func TestSealNoticesEveryFlippedByte(t *testing.T) {
	s := mustSealer(t, testSecrets[0])
	key, id, _ := parseTicket(ticketA)
	sealed, _ := s.seal(key, id, 1, time.UnixMilli(1), []byte("content"))
	for i := range sealed {
		for bit := range 8 {
			b := slices.Clone(sealed)
			b[i] ^= 1 << bit
			if _, _, err := s.open(key, id, 1, b); err == nil {
				t.Errorf("byte %d, bit %d: flipped and opened", i, bit)
			}
		}
	}
}

func TestSealIsDifferentEachTime(t *testing.T) {
	s := mustSealer(t, testSecrets[0])
	key, id, _ := parseTicket(ticketA)
	a, _ := s.seal(key, id, 1, time.UnixMilli(1), []byte("content"))
	b, _ := s.seal(key, id, 1, time.UnixMilli(1), []byte("content"))
	if bytes.Equal(a, b) {
		t.Error("a nonce was used twice")
	}
}

func TestIndexInfoOpensInItsPlaceOnly(t *testing.T) {
	s := mustSealer(t, testSecrets[0])
	sealed := s.sealInfo("here", []byte("info"))
	if got, err := s.openInfo("here", sealed); err != nil || string(got) != "info" {
		t.Errorf("openInfo = %q, %v", got, err)
	}
	if _, err := s.openInfo("there", sealed); !errors.Is(err, errForged) {
		t.Errorf("moved info: %v, want %v", err, errForged)
	}
}

// A key for another purpose is the same in every process with these secrets, one for each secret, and different for each purpose.
func TestSealKeysDifferByPurposeAndSecret(t *testing.T) {
	a, _ := SealKeys(testSecrets, "a")
	again, _ := SealKeys(testSecrets, "a")
	b, _ := SealKeys(testSecrets, "b")
	if len(a) != 2 || len(a[0]) != 32 || bytes.Equal(a[0], a[1]) || bytes.Equal(a[0], b[0]) || !bytes.Equal(a[1], again[1]) {
		t.Errorf("keys %x, %x and %x", a, again, b)
	}
}

func FuzzOpen(f *testing.F) {
	s := mustSealer(f, testSecrets[0])
	key, id, _ := parseTicket(ticketA)
	sealed, _ := s.seal(key, id, 1, time.UnixMilli(1), []byte("content"))
	f.Add(sealed)
	f.Add(sealed[:headSize])
	f.Add([]byte{sealFormat})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		// What opens was sealed by us, be it by an earlier run of this target.
		if got, _, err := s.open(key, id, 1, b); err == nil && string(got) != "content" {
			t.Errorf("%x opened as %q", b, got)
		}
	})
}
