package index

import (
	"errors"
	"strings"
	"testing"

	"tapedeck/store/storetest"
)

// Who writes to Redis cannot say that he was on a recorded call, to hear it.
func TestForgedRecordings(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		w := storetest.Client(t, srv)
		x := open(t, srv).run(t)
		r := recorded("org-0", 1)
		r.Users = []string{"alice"}
		x.Save(r)
		x.written(t)
		key := recordingKey("org-0", r.ID)
		genuine := w.Get(t.Context(), key).Val()
		for what, text := range map[string]string{
			"another user": strings.Replace(genuine, "alice", "mallory", 1),
			"without seal": strings.Split(genuine, `,"seal":`)[0] + "}",
		} {
			before := x.tell.Forged("recording")
			if err := w.Set(t.Context(), key, text, 0).Err(); err != nil {
				t.Fatal(err)
			}
			if got, err := x.Find(t.Context(), r.ID); !errors.Is(err, ErrUnknown) {
				t.Errorf("%s: %+v, %v", what, got, err)
			}
			if list, _, err := x.Search(t.Context(), Query{}); err != nil || len(list) != 0 {
				t.Errorf("%s: %v, %v", what, list, err)
			}
			if n := x.tell.Forged("recording") - before; n != 2 {
				t.Errorf("%s: not believed %d times", what, n)
			}
		}
		x.Save(r)
		x.written(t)
		if got, err := x.Find(t.Context(), r.ID); err != nil || got.Users[0] != "alice" {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
