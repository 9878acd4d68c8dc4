package identity

import (
	"testing"
	"time"

	"tapedeck/store/session"
)

// TestTTL: a session lasts as long as it is used, and no longer than its lifetime.
func TestTTL(t *testing.T) {
	c, now := New(Config{}), time.Now()
	for _, tc := range []struct{ began, want time.Duration }{{0, defaultIdle}, {defaultLifetime - time.Minute, time.Minute}} {
		if got := c.ttl(session.Session{Began: now.Add(-tc.began), Seen: now}); got != tc.want {
			t.Errorf("began %v ago: %v, want %v", tc.began, got, tc.want)
		}
	}
}
