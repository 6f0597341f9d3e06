package session

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"
)

func fullSession() *Session {
	at := func(s int64) time.Time { return time.Unix(s, 0).UTC() }
	return &Session{
		Handle: "h", Provider: "main", Issuer: "https://id.test", Subject: "alice", ProviderSession: "sid", Nonce: "n", ACR: "urn:mfa",
		IssuedAt: at(1), AuthTime: at(2), Created: at(3), Browser: "Firefox", Address: "192.0.2.0/24",
		Claims:  map[string]any{"sub": "alice", "n": json.Number("12345678901234567890"), "deep": map[string]any{"a": []any{"b", nil, true}}},
		Roles:   []string{"a", "b"},
		Scopes:  []string{"openid", "c"},
		Tokens:  Tokens{Access: "A", Refresh: "R", ID: "I", Scope: "openid", Issued: at(4), Expires: at(5)},
		Attempt: &Attempt{ID: "try", Deadline: at(6), Repeats: 1},
		Grants:  []Grant{{Key: "orders", Access: "G", Issued: at(7), Expires: at(8)}}, Resources: []string{"mark"},
	}
}

func TestCodecKeepsEverything(t *testing.T) {
	for name, s := range map[string]*Session{"every field": fullSession(), "no field": {}} {
		t.Run(name, func(t *testing.T) {
			b, err := encode(s)
			if err != nil {
				t.Fatal(err)
			}
			got, err := decode(b)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, s) {
				t.Errorf("decode(encode(s)) lost something of %s", b)
			}
		})
	}
}

// A field that is added to Session and forgotten in the codec would be lost at the next read.
func TestCodecTestFillsEveryField(t *testing.T) {
	v := reflect.ValueOf(*fullSession())
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.IsExported() && f.Name != "Deadline" && v.Field(i).IsZero() { // the deadline is in the seal's plain part
			t.Errorf("fullSession does not fill %s", f.Name)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, b := range map[string]string{
		"SES-09: nothing":            "",
		"SES-09: cut off":            `{"h":"x","cl":{"a":`,
		"SES-09: another type":       `{"h":7}`,
		"SES-09: two values":         `{"h":"x"}{"h":"y"}`,
		"SES-09: gob of another day": "\x0c\xff\x81\x02\x01",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := decode([]byte(b)); !errors.Is(err, errContent) {
				t.Errorf("decode(%q) = %v, want %v", b, err, errContent)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	full, _ := encode(fullSession())
	for _, seed := range []string{string(full), "", "{}", `{"cl":{"a":1e999}}`, `{"try":{}}`, `{"iat":-1}`, `[]`, `null`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decode(b)
		if err != nil {
			return
		}
		again, err := encode(s)
		if err != nil {
			t.Fatalf("decoded %q does not encode: %v", b, err)
		}
		back, err := decode(again)
		if err != nil {
			t.Fatalf("%q encodes as %q: %v", b, again, err)
		}
		if third, _ := encode(back); string(third) != string(again) {
			t.Errorf("%q encodes as %q, then as %q", b, again, third)
		}
	})
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte{})
	f.Add(frame{version: 7, deadline: time.UnixMilli(9), content: []byte("{}")}.marshal())
	f.Add(make([]byte, frameHead-1))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseFrame(b)
		if err != nil {
			if len(b) >= frameHead {
				t.Errorf("%d bytes refused", len(b))
			}
			return
		}
		if back := got.marshal(); string(back) != string(b) {
			t.Errorf("frame %x came back as %x", b, back)
		}
		codec{}.Decode(b) // must not panic
	})
}

// A replica of the version before grants reads a session with grants, and what it writes is whole but for them: they are fetched again, and nobody is signed out.
func TestTheVersionBeforeGrants(t *testing.T) {
	type before struct { // content as it was then
		Handle          string         `json:"h"`
		Provider        string         `json:"p"`
		Issuer          string         `json:"i"`
		Subject         string         `json:"s"`
		ProviderSession string         `json:"ps,omitempty"`
		Nonce           string         `json:"n,omitempty"`
		ACR             string         `json:"acr,omitempty"`
		IssuedAt        int64          `json:"iat,omitempty"`
		AuthTime        int64          `json:"at,omitempty"`
		Created         int64          `json:"c"`
		Claims          map[string]any `json:"cl,omitempty"`
		Roles           []string       `json:"r,omitempty"`
		Browser         string         `json:"b,omitempty"`
		Address         string         `json:"a,omitempty"`
		Access          string         `json:"ta,omitempty"`
		Refresh         string         `json:"tr,omitempty"`
		IDToken         string         `json:"ti,omitempty"`
		Scope           string         `json:"ts,omitempty"`
		TokenIssued     int64          `json:"tb,omitempty"`
		TokenExpires    int64          `json:"te,omitempty"`
		Attempt         *attempt       `json:"try,omitempty"`
	}
	s := fullSession()
	s.Claims = map[string]any{"sub": "alice"} // how it read numbers is not what this is about
	b, err := encode(s)
	if err != nil {
		t.Fatal(err)
	}
	var old before
	if err := json.Unmarshal(b, &old); err != nil {
		t.Fatal(err)
	}
	if b, err = json.Marshal(old); err != nil {
		t.Fatal(err)
	}
	got, err := decode(b)
	if err != nil {
		t.Fatal(err)
	}
	s.Grants, s.Resources, s.Scopes = nil, nil, nil
	if !reflect.DeepEqual(got, s) {
		t.Errorf("got %+v", got)
	}
}
