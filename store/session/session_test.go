package session

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tapedeck/internal/testkit"
	"tapedeck/store"
	"tapedeck/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// open makes the sessions of an instance.
func open(t *testing.T, srv interface{ URL() string }) *Store {
	t.Helper()
	return New(storetest.Open(t, srv, storetest.NewSpy()))
}

func signedIn(account string, n int) Session {
	return Session{ID: fmt.Sprintf("%s-%04d", account, n), Account: account, Stamp: "s", CSRF: "c", From: "127.0.0.1", Began: time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC), Seen: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func saveSession(t *testing.T, s *Store, session Session, ttl time.Duration) {
	t.Helper()
	if err := s.Save(t.Context(), session, ttl); err != nil {
		t.Fatal(err)
	}
}

func mustUnknown(t *testing.T, s *Store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if _, err := s.Find(t.Context(), id); !errors.Is(err, ErrUnknown) {
			t.Errorf("session %s: %v, want ErrUnknown", id, err)
		}
	}
}

func TestSessions(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		a, b := open(t, srv), open(t, srv)
		mustUnknown(t, a, "", "x", "anna-0001")
		one := signedIn("anna", 1)
		saveSession(t, a, one, time.Hour)
		if got, err := b.Find(t.Context(), one.ID); err != nil || got != one {
			t.Errorf("%+v: %v", got, err)
		}
		seen := one
		seen.Seen = one.Seen.Add(time.Minute)
		saveSession(t, b, seen, time.Hour)
		if got, err := a.Find(t.Context(), one.ID); err != nil || got != seen {
			t.Errorf("%+v: %v", got, err)
		}
		// A request that is still under way does not bring back what was ended.
		for _, id := range []string{one.ID, one.ID, "never was"} {
			if err := a.End(t.Context(), id); err != nil {
				t.Error(err)
			}
		}
		if err := b.Save(t.Context(), seen, time.Hour); !errors.Is(err, ErrUnknown) {
			t.Errorf("saved after its end: %v", err)
		}
		mustUnknown(t, b, one.ID)

		for i := range 5 {
			saveSession(t, a, signedIn("anna", 10+i), time.Hour)
		}
		other := signedIn("Anna", 1)
		saveSession(t, a, other, time.Hour)
		if err := a.End(t.Context(), "anna-0012"); err != nil {
			t.Error(err)
		}
		for _, want := range []int{4, 0} {
			if n, err := b.EndAll(t.Context(), "anna"); n != want || err != nil {
				t.Errorf("%d ended, want %d: %v", n, want, err)
			}
		}
		mustUnknown(t, a, "anna-0010", "anna-0011", "anna-0012", "anna-0013", "anna-0014")
		if _, err := a.Find(t.Context(), other.ID); err != nil {
			t.Error(err)
		}
	})
}

func TestSessionsAreBounded(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		s := open(t, srv)
		for i := range maxPerAccount + 2 {
			saveSession(t, s, signedIn("anna", i), time.Hour+time.Duration(i)*time.Minute)
		}
		mustUnknown(t, s, "anna-0000", "anna-0001")
		if n, err := s.EndAll(t.Context(), "anna"); n != maxPerAccount || err != nil {
			t.Errorf("%d ended: %v", n, err)
		}
		large := signedIn("anna", 1)
		large.From = strings.Repeat("x", maxSize)
		for _, unfit := range []Session{{}, {ID: "x"}, {Account: "x"}, large} {
			if err := s.Save(t.Context(), unfit, time.Hour); err == nil || errors.Is(err, store.ErrAway) {
				t.Errorf("saved %.80v: %v", unfit, err)
			}
		}
		if err := s.Save(t.Context(), signedIn("anna", 900), -time.Second); err == nil {
			t.Error("saved for no time")
		}
	})
}

func TestSessionsExpire(t *testing.T) {
	testkit.NoLeaks(t)
	mini := storetest.NewMini(t)
	s := open(t, mini)
	saveSession(t, s, signedIn("anna", 1), time.Minute)
	saveSession(t, s, signedIn("anna", 2), time.Hour)
	saveSession(t, s, signedIn("anna", 3), time.Minute)
	mini.FastForward(2 * time.Minute)
	mustUnknown(t, s, "anna-0001", "anna-0003")
	if n, err := s.EndAll(t.Context(), "anna"); n != 1 || err != nil {
		t.Errorf("%d ended: %v", n, err)
	}
	mini.FastForward(2 * time.Hour)
	if keys := storetest.Client(t, mini).Keys(t.Context(), "*{sessions}*").Val(); len(keys) != 0 {
		t.Errorf("left: %v", keys)
	}
}

func TestSessionsWhileRedisIsAway(t *testing.T) {
	storetest.OnServers(t, func(t *testing.T, srv storetest.Server) {
		s := open(t, srv)
		raw := storetest.Client(t, srv)
		raw.Set(t.Context(), sessionKey("odd"), "{", 0)
		mustUnknown(t, s, "odd")
		srv.Stop()
		_, err := s.Find(t.Context(), "x")
		storetest.MustAway(t, err)
		storetest.MustAway(t, s.Save(t.Context(), signedIn("anna", 1), time.Hour))
		storetest.MustAway(t, s.End(t.Context(), "x"))
		_, err = s.EndAll(t.Context(), "anna")
		storetest.MustAway(t, err)
		if !s.conn.Up() {
			t.Error("a session has said that Redis is away")
		}
	})
}
