package main

import (
	"bufio"
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestACustomerSignsInOrdersAndSignsOut(t *testing.T) {
	v := startDemo(t)
	if status, who := v.call(http.MethodGet, "/bff/user", ""); status != http.StatusOK || who["authenticated"] != false {
		t.Errorf("before the sign-in: %d %v", status, who)
	}
	if status, problem := v.call(http.MethodGet, "/api/orders", ""); status != http.StatusUnauthorized || problem["login"] == nil {
		t.Errorf("orders of a stranger: %d %v, want 401 and where to sign in", status, problem)
	}
	who := v.signIn("alan")
	if claims, _ := who["claims"].(map[string]any); claims["name"] != "Alan Turing" || claims["iss"] == nil {
		t.Errorf("claims = %v, want name and iss", who["claims"])
	}
	_, before := v.call(http.MethodGet, "/api/orders", "")
	if status, order := v.call(http.MethodPost, "/api/orders", `{"item":"hanger","quantity":3}`); status != http.StatusCreated || order["owner"] != "Alan Turing" || order["cents"] != 3750.0 {
		t.Errorf("new order: %d %v", status, order)
	}
	_, after := v.call(http.MethodGet, "/api/orders", "")
	if n, m := count(before), count(after); n == 0 || m != n+1 || after["all"] != false {
		t.Errorf("orders before and after = %d, %d, all = %v; want his own, and one more", n, m, after["all"])
	}
	for name, bad := range map[string]string{"no such item": `{"item":"x","quantity":1}`, "too many": `{"item":"hanger","quantity":100}`, "not JSON": `hanger`} {
		if status, _ := v.call(http.MethodPost, "/api/orders", bad); status != http.StatusUnprocessableEntity && status != http.StatusBadRequest {
			t.Errorf("%s: %d, want a refusal", name, status)
		}
	}
	if status, body := v.call(http.MethodGet, "/api/reports/sales", ""); status != http.StatusForbidden || !strings.Contains(body["message"].(string), "customer") {
		t.Errorf("report for a customer: %d %v, want 403 with his roles", status, body)
	}
	status, out := v.call(http.MethodPost, "/bff/logout", "")
	location, _ := out["location"].(string)
	if status != http.StatusOK || !strings.Contains(location, "/logout?") {
		t.Fatalf("sign-out: %d %v, want the provider's URL", status, out)
	}
	if landed := v.submit(v.navigate(http.MethodGet, location, nil), url.Values{}); landed.url.String() != v.app+"/" {
		t.Errorf("sign-out ends at %s with %d, want the app", landed.url, landed.status)
	}
	if _, who := v.call(http.MethodGet, "/bff/user", ""); who["authenticated"] != false {
		t.Errorf("after the sign-out: %v", who)
	}
	v.wantNoToken()
}

func TestRolesDecideAtTheAPI(t *testing.T) {
	v := startDemo(t)
	for _, tt := range []struct {
		user                  string
		all, mayOrder         bool
		orderStatus, reported int
	}{
		{"ada", true, true, http.StatusCreated, http.StatusOK},
		{"grace", true, false, http.StatusForbidden, http.StatusForbidden},
	} {
		b := newVisitor(t, v.app)
		b.signIn(tt.user)
		if _, list := b.call(http.MethodGet, "/api/orders", ""); list["all"] != tt.all || list["may_order"] != tt.mayOrder {
			t.Errorf("%s: all %v, may_order %v; want %v, %v", tt.user, list["all"], list["may_order"], tt.all, tt.mayOrder)
		}
		if status, _ := b.call(http.MethodPost, "/api/orders", `{"item":"brush","quantity":1}`); status != tt.orderStatus {
			t.Errorf("%s orders: %d, want %d", tt.user, status, tt.orderStatus)
		}
		if status, _ := b.call(http.MethodGet, "/api/reports/sales", ""); status != tt.reported {
			t.Errorf("%s reads the report: %d, want %d", tt.user, status, tt.reported)
		}
		b.wantNoToken()
	}
}

func TestSigningOutAtTheProviderEndsTheSession(t *testing.T) {
	v := startDemo(t)
	who := v.signIn("ada")
	provider := who["claims"].(map[string]any)["iss"].(string)
	v.submit(v.navigate(http.MethodGet, provider+"/", nil), url.Values{})
	deadline := time.After(10 * time.Second)
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		if _, who := v.call(http.MethodGet, "/bff/user", ""); who["authenticated"] == false {
			return
		}
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatal("the session is still there 10 s after the user signed out at the provider")
		}
	}
}

// The inspector streams through the proxy, at once, and shows the bearer token by a fingerprint only.
func TestInspectorShowsWhatTheAPIReceived(t *testing.T) {
	v := startDemo(t)
	v.signIn("ada")
	v.call(http.MethodGet, "/api/orders", "")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.app+"/api/inspector", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-CSRF", "1")
	resp, err := v.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	events := bufio.NewScanner(resp.Body)
	next := func() string {
		for events.Scan() {
			if data, ok := strings.CutPrefix(events.Text(), "data: "); ok {
				*v.seen = append(*v.seen, data)
				return data
			}
		}
		t.Fatalf("the stream ended: %v", events.Err())
		return ""
	}
	past := next()
	for _, want := range []string{`"path":"/orders"`, `"status":200`, `"cookie":false`, `"Authorization":"Bearer sha256:`} {
		if !strings.Contains(past, want) {
			t.Errorf("first event has no %s: %s", want, past)
		}
	}
	v.call(http.MethodGet, "/api/reports/sales", "")
	if live := next(); !strings.Contains(live, `"path":"/reports/sales"`) {
		t.Errorf("second event = %s, want the report", live)
	}
	v.wantNoToken()
}

var anyJWT = regexp.MustCompile(`eyJ[A-Za-z0-9_-]+\.`)

// wantNoToken checks law 1 on all that this visitor got from the app's origin.
func (v *visitor) wantNoToken() {
	v.t.Helper()
	for _, text := range *v.seen {
		if m := anyJWT.FindString(text); m != "" {
			v.t.Errorf("a token reached the browser: …%.12s…", m)
		}
	}
}

func count(list map[string]any) int {
	all, _ := list["orders"].([]any)
	return len(all)
}
