package store_test

import (
	"os"
	"strings"
	"testing"

	"tapedeck/store/storetest"
)

// TestACL: everything works for a user who may do no more than docs/operate.md says, and
// nothing was refused to him.
func TestACL(t *testing.T) {
	t.Parallel()
	srv := storetest.NewRedis(t)
	admin := storetest.Client(t, srv)
	useAll(t, openAt(t, srv.URL(), "a").run(t), openAt(t, srv.URL(), "b").run(t))
	refused, err := admin.ACLLog(t.Context(), 100).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range refused {
		t.Errorf("refused: %s %s (%s)", r.Context, r.Object, r.Reason)
	}
	manual, err := os.ReadFile("../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	flat := strings.Join(strings.Fields(string(manual)), " ")
	for _, rights := range []string{"ACL SETUSER tapedeck on >PASSWORD " + storetest.ACL, storetest.ClusterACL} {
		if !strings.Contains(flat, rights) {
			t.Errorf("docs/operate.md does not have:\n%s", rights)
		}
	}
}
