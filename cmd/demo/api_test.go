package main

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestASightingHoldsNoCredential(t *testing.T) {
	r := httptest.NewRequest("GET", "/orders?x=1", nil)
	r.Header.Set("Authorization", "Bearer the-token")
	r.Header.Set("Cookie", "ticket=the-ticket")
	s := sighting(r, 200, time.Unix(1, 0))
	if !s.Cookie || s.Path != "/orders?x=1" || s.Token != "sha256:c2a73fcf…" {
		t.Errorf("sighting = %+v", s)
	}
	for name, value := range s.Headers {
		if strings.Contains(value, "the-token") || strings.Contains(value, "the-ticket") {
			t.Errorf("header %s shows %q", name, value)
		}
	}
}

func TestInspectorShowsEverybodyTheirOwn(t *testing.T) {
	i := newInspector()
	i.record("ada", seen{ID: "1"})
	past, next, stop := i.follow("alan")
	defer stop()
	i.record("ada", seen{ID: "2"})
	i.record("alan", seen{ID: "3"})
	if len(past) != 0 {
		t.Errorf("alan's past = %v, want none", past)
	}
	if s := <-next; s.ID != "3" {
		t.Errorf("alan is shown %q, want his own", s.ID)
	}
	for range 2 * maxSeen {
		i.record("ada", seen{})
	}
	if len(i.last) != maxSeen {
		t.Errorf("inspector remembers %d requests, want %d", len(i.last), maxSeen)
	}
}

func TestOnlyAccessTokensAreTaken(t *testing.T) {
	verify := newVerifier("http://127.0.0.1:1")
	for _, raw := range []string{"", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."} {
		if _, err := verify(t.Context(), raw); err == nil {
			t.Errorf("verify(%q) passed", raw)
		}
	}
}

func TestOrdersAreBounded(t *testing.T) {
	o := newOrders(time.Unix(0, 0))
	for range maxOrders + 10 {
		o.add(caller{Subject: "ada"}, "hanger", 1, time.Unix(1, 0))
	}
	if n, _ := o.total(); n != maxOrders {
		t.Errorf("%d orders, want %d", n, maxOrders)
	}
	if got := o.list("nobody", false); got == nil || len(got) != 0 {
		t.Errorf("list of nobody = %v, want an empty list, not null", got)
	}
}
