package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"cloakroom/session/storetest"
)

// AUN-04: the key is on standard output, once and alone; everything else, and every other command, knows its ID.
func TestKeysFromTheCommandLine(t *testing.T) {
	path := writeConfig(t, strings.Replace(minimal, "session: {", "session: {redis: {url: '"+storetest.StartRedis(t).URL()+"'}, ", 1))
	cloakroom := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(append(args, "--config", path), &out, &errs); code != want {
			t.Fatalf("%v: exit code %d, want %d\n%s%s", args, code, want, &out, &errs)
		}
		return out.String(), errs.String()
	}
	text, told := cloakroom(0, "keys", "new", "billing", "--role", "service", "--scope", "orders.read", "--scope", "orders.write", "--expires", "90d")
	key, rest, ok := strings.Cut(text, "\n")
	if !ok || rest != "" || !strings.HasPrefix(key, "ck_") || len(key) != 65 {
		t.Fatalf("printed %q", text)
	}
	id := key[3:15]
	if !strings.Contains(told, id) || !strings.Contains(told, `"billing"`) || strings.Contains(told, key[16:]) {
		t.Errorf("told %q", told)
	}
	table, _ := cloakroom(0, "keys", "list")
	if !strings.Contains(table, id+"  billing  service  orders.read,orders.write  ") || strings.Contains(table, key[16:30]) {
		t.Errorf("listed\n%s", table)
	}
	asJSON, _ := cloakroom(0, "keys", "list", "--json")
	var list []struct {
		ID      string
		Scopes  []string
		Expires time.Time
	}
	if err := json.Unmarshal([]byte(asJSON), &list); err != nil || len(list) != 1 || list[0].ID != id || len(list[0].Scopes) != 2 {
		t.Fatalf("listed %s: %v", asJSON, err)
	}
	if left := time.Until(list[0].Expires); left < 89*24*time.Hour || left > 90*24*time.Hour {
		t.Errorf("ends in %v", left)
	}
	if out, _ := cloakroom(0, "keys", "revoke", key); out != "revoked "+id+"\n" {
		t.Errorf("revoking says %q", out)
	}
	if _, errs := cloakroom(1, "keys", "revoke", id); !strings.Contains(errs, "no such API key") {
		t.Errorf("revoking again says %q", errs)
	}
	if out, _ := cloakroom(0, "keys", "list", "--json"); out != "[]\n" {
		t.Errorf("then there are %q", out)
	}
}

func TestKeysThatAreNotMade(t *testing.T) {
	good := writeConfig(t, strings.Replace(minimal, "session: {", "session: {redis: {url: 'redis://"+nobody(t)+"', timeout: 100ms}, ", 1))
	inMemory := writeConfig(t, strings.Replace(minimal, "session: {", "session: {store: memory, ", 1))
	for _, c := range []struct {
		name   string
		args   []string
		code   int
		stderr string
	}{
		{"without a name", []string{"new", "-c", good}, 2, "accepts 1 arg"},
		{"with a role that is none", []string{"new", "n", "--role", "", "-c", good}, 2, `"" is no role`},
		{"with two scopes in one", []string{"new", "n", "--scope", "a b", "-c", good}, 2, "several are several"},
		{"with an end in the past", []string{"new", "n", "--expires", "2020-01-01", "-c", good}, 2, "is over already"},
		{"with an end of no time", []string{"new", "n", "--expires", "0d", "-c", good}, 2, "is over already"},
		{"with an end before it begins", []string{"new", "n", "--expires", "-5h", "-c", good}, 2, "is over already"},
		{"with an end in words", []string{"new", "n", "--expires", "soon", "-c", good}, 2, "write a day such as"},
		{"where sessions are in memory", []string{"new", "n", "-c", inMemory}, 2, "session.store is memory"},
		{"where Redis is down", []string{"new", "n", "-c", good}, 1, "write API key: redis:"},
		{"listed where Redis is down", []string{"list", "-c", good}, 1, "list API keys: redis:"},
		{"revoked where Redis is down", []string{"revoke", "0123456789AB", "-c", good}, 1, "revoke API key: redis:"},
		{"and nothing said", nil, 2, "keys new, keys list or keys revoke"},
		{"and something else said", []string{"steal"}, 2, "steal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(append([]string{"keys"}, c.args...), &stdout, &stderr)
			if code != c.code || stdout.Len() != 0 || !strings.Contains(stderr.String(), c.stderr) {
				t.Errorf("exit code %d\nstdout: %s\nstderr: %s\nwant %d, %q", code, &stdout, &stderr, c.code, c.stderr)
			}
		})
	}
}

func TestWhenAKeyEnds(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"never": "never", "90d": "2027-02-21 12:00Z", "12h": "2026-11-24 00:00Z", "2027-01-31": "2027-02-01 00:00Z", "1d": "2026-11-24 12:00Z",
	} {
		if got, err := expiry(text, now); err != nil || day(got) != want {
			t.Errorf("%s: %s, %v, want %s", text, day(got), err, want)
		}
	}
	for _, text := range []string{"", "d", "1.5d", "-1d", "99999999d", "1y", "2027-13-01"} {
		if got, err := expiry(text, now); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
