package session

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tapedeck/store"
	"tapedeck/store/storetest"
)

// Whoever writes to Redis cannot sign in: neither with a session that he has made, nor
// with one that he has altered or moved.
func TestForgedSessions(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		tell, writer := storetest.NewSpy(), storetest.Client(t, srv)
		s := New(storetest.Open(t, srv, tell))
		put := func(key, text string) {
			t.Helper()
			if err := writer.Set(t.Context(), key, text, time.Hour).Err(); err != nil {
				t.Fatal(err)
			}
		}
		made, err := json.Marshal(signedIn("root", 1))
		if err != nil {
			t.Fatal(err)
		}
		put(sessionKey("root-0001"), string(made))
		mustUnknown(t, s, "root-0001")

		anna, berta := signedIn("anna", 1), signedIn("anna", 2)
		saveSession(t, s, anna, time.Hour)
		saveSession(t, s, berta, time.Hour)
		genuine := writer.Get(t.Context(), sessionKey(anna.ID)).Val()
		put(sessionKey(anna.ID), strings.Replace(genuine, `"account":"anna"`, `"account":"root"`, 1))
		mustUnknown(t, s, anna.ID)
		put(sessionKey(anna.ID), strings.Replace(genuine, `"id":"anna-0001"`, `"id":"anna-0001","id":"anna-0001"`, 1))
		mustUnknown(t, s, anna.ID)
		put(sessionKey(berta.ID), strings.Replace(genuine, anna.ID, berta.ID, 1))
		put(sessionKey("other"), genuine)
		mustUnknown(t, s, berta.ID, "other")
		if n := tell.Forged("session"); n != 5 {
			t.Errorf("%d sessions were not believed", n)
		}
		if n := tell.Logged("record in redis is not believed"); n != 1 {
			t.Errorf("logged %d times:\n%s", n, tell.Log())
		}

		put(sessionKey(anna.ID), genuine)
		if got, err := s.Find(t.Context(), anna.ID); err != nil || got != anna {
			t.Errorf("%+v: %v", got, err)
		}
		// What was not believed can be ended, and its place used again.
		if err := s.End(t.Context(), berta.ID); err != nil {
			t.Error(err)
		}
		saveSession(t, s, berta, time.Hour)
		if got, err := s.Find(t.Context(), berta.ID); err != nil || got != berta {
			t.Errorf("%+v: %v", got, err)
		}
	})
}

// Keys can be changed without anybody signing in again, and without a key everything is
// believed, also what others have sealed.
func TestSessionsWithOtherKeys(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		with := func(keys ...string) *Store {
			return New(storetest.OpenWith(t, store.Config{Redis: srv.URL(), Keys: keys, Timeout: storetest.NewSpy().Config().Timeout}))
		}
		older, newer := strings.Repeat("o", 32), strings.Repeat("n", 32)
		stores := map[string]*Store{"none": with(), "older": with(older), "both": with(older, newer), "swapped": with(newer, older), "newer": with(newer)}
		reads := map[string][]string{
			"none": {"none"}, "older": {"none", "older", "both", "swapped"}, "both": {"none", "older", "both", "swapped"},
			"swapped": {"none", "both", "swapped", "newer"}, "newer": {"none", "both", "swapped", "newer"},
		}
		for writer, readers := range reads {
			one := signedIn("anna", len(writer))
			one.ID = writer
			saveSession(t, stores[writer], one, time.Hour)
			for reader, s := range stores {
				_, err := s.Find(t.Context(), one.ID)
				if want := strings.Contains(fmt.Sprint(readers), reader); (err == nil) != want {
					t.Errorf("key %s reads what key %s has sealed: %v", reader, writer, err)
				}
			}
		}
	})
}
