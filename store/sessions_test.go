package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func signedIn(account string, n int) Session {
	return Session{ID: fmt.Sprintf("%s-%04d", account, n), Account: account, Stamp: "s", CSRF: "c", From: "127.0.0.1", Began: firstStart, Seen: firstStart}
}

func saveSession(t *testing.T, s *Store, session Session, ttl time.Duration) {
	t.Helper()
	if err := s.SaveSession(t.Context(), session, ttl); err != nil {
		t.Fatal(err)
	}
}

func mustUnknown(t *testing.T, s *Store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if _, err := s.Session(t.Context(), id); !errors.Is(err, ErrUnknown) {
			t.Errorf("session %s: %v, want ErrUnknown", id, err)
		}
	}
}

func TestSessions(t *testing.T) {
	onServers(t, func(t *testing.T, srv server) {
		a, b := openOn(t, srv, newSpy()), openOn(t, srv, newSpy())
		mustUnknown(t, a, "", "x", "anna-0001")
		one := signedIn("anna", 1)
		saveSession(t, a, one, time.Hour)
		if got, err := b.Session(t.Context(), one.ID); err != nil || got != one {
			t.Errorf("%+v: %v", got, err)
		}
		seen := one
		seen.Seen = one.Seen.Add(time.Minute)
		saveSession(t, b, seen, time.Hour)
		if got, err := a.Session(t.Context(), one.ID); err != nil || got != seen {
			t.Errorf("%+v: %v", got, err)
		}
		// A request that is still under way does not bring back what was ended.
		for _, id := range []string{one.ID, one.ID, "never was"} {
			if err := a.DropSession(t.Context(), id); err != nil {
				t.Error(err)
			}
		}
		if err := b.SaveSession(t.Context(), seen, time.Hour); !errors.Is(err, ErrUnknown) {
			t.Errorf("saved after its end: %v", err)
		}
		mustUnknown(t, b, one.ID)

		for i := range 5 {
			saveSession(t, a, signedIn("anna", 10+i), time.Hour)
		}
		other := signedIn("Anna", 1)
		saveSession(t, a, other, time.Hour)
		if err := a.DropSession(t.Context(), "anna-0012"); err != nil {
			t.Error(err)
		}
		for _, want := range []int{4, 0} {
			if n, err := b.DropSessions(t.Context(), "anna"); n != want || err != nil {
				t.Errorf("%d ended, want %d: %v", n, want, err)
			}
		}
		mustUnknown(t, a, "anna-0010", "anna-0011", "anna-0012", "anna-0013", "anna-0014")
		if _, err := a.Session(t.Context(), other.ID); err != nil {
			t.Error(err)
		}
	})
}

func TestSessionsAreBounded(t *testing.T) {
	onServers(t, func(t *testing.T, srv server) {
		s := openOn(t, srv, newSpy())
		for i := range maxSessions + 2 {
			saveSession(t, s, signedIn("anna", i), time.Hour+time.Duration(i)*time.Minute)
		}
		mustUnknown(t, s, "anna-0000", "anna-0001")
		if n, err := s.DropSessions(t.Context(), "anna"); n != maxSessions || err != nil {
			t.Errorf("%d ended: %v", n, err)
		}
		large := signedIn("anna", 1)
		large.From = strings.Repeat("x", maxSessionSize)
		for _, unfit := range []Session{{}, {ID: "x"}, {Account: "x"}, large} {
			if err := s.SaveSession(t.Context(), unfit, time.Hour); err == nil || errors.Is(err, ErrAway) {
				t.Errorf("saved %.80v: %v", unfit, err)
			}
		}
		if err := s.SaveSession(t.Context(), signedIn("anna", 900), -time.Second); err == nil {
			t.Error("saved for no time")
		}
	})
}

func TestSessionsExpire(t *testing.T) {
	leakFree(t)
	e, err := newEmbedded()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.stop)
	s := openOn(t, e, newSpy())
	start := e.aged
	saveSession(t, s, signedIn("anna", 1), time.Minute)
	saveSession(t, s, signedIn("anna", 2), time.Hour)
	saveSession(t, s, signedIn("anna", 3), time.Minute)
	e.age(start.Add(2 * time.Minute))
	mustUnknown(t, s, "anna-0001", "anna-0003")
	if n, err := s.DropSessions(t.Context(), "anna"); n != 1 || err != nil {
		t.Errorf("%d ended: %v", n, err)
	}
	e.age(start.Add(2 * time.Hour))
	if keys := rawClient(t, e).Keys(t.Context(), "*{sessions}*").Val(); len(keys) != 0 {
		t.Errorf("left: %v", keys)
	}
}

func TestSessionsWhileRedisIsAway(t *testing.T) {
	onServers(t, func(t *testing.T, srv server) {
		s := openOn(t, srv, newSpy())
		raw := rawClient(t, srv)
		raw.Set(t.Context(), sessionKey("odd"), "{", 0)
		mustUnknown(t, s, "odd")
		srv.stop()
		_, err := s.Session(t.Context(), "x")
		mustAway(t, err)
		mustAway(t, s.SaveSession(t.Context(), signedIn("anna", 1), time.Hour))
		mustAway(t, s.DropSession(t.Context(), "x"))
		_, err = s.DropSessions(t.Context(), "anna")
		mustAway(t, err)
		if !s.Up() {
			t.Error("a session has said that Redis is away")
		}
	})
}
