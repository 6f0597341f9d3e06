package redis_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"cloakroom/session/storetest"
)

// TestRightsAreTheLeast shows that each right that doc.go lists is needed: without it a round of all calls fails. Only HELLO could be missing, and then every
// new connection would leave an entry in Redis' ACL LOG.
func TestRightsAreTheLeast(t *testing.T) {
	server := storetest.StartRedis(t)
	if err := round(t, server, leastRights); err != nil {
		t.Fatalf("with all of them: %v", err)
	}
	for _, right := range strings.Fields(leastRights) {
		if strings.HasPrefix(right, "+") && right != "+hello" {
			if err := round(t, server, strings.Replace(leastRights, right, "", 1)); err == nil {
				t.Errorf("%s is not needed", right)
			}
		}
	}
}

// round makes every call once, in a database that has to be selected, as a user with these rights.
func round(t *testing.T, server *storetest.Redis, rights string) error {
	t.Helper()
	cfg := user(t, server, rights)
	cfg.URL = strings.TrimSuffix(cfg.URL, "0") + "1"
	admin := administrator(t, server)
	if err := errors.Join(admin.FlushAll(t.Context()).Err(), admin.ScriptFlush(t.Context()).Err()); err != nil {
		t.Fatal(err)
	}
	s := open(t, cfg)
	var failed []error
	all := calls(s)
	for _, name := range slices.Sorted(maps.Keys(all)) { // "add" comes before "mark", which would refuse it
		if err := all[name](t.Context()); isOutage(err) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
