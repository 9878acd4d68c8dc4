package testkit

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

// NoLeaks checks at the end of the test, after the cleanups that were registered
// later, that none of its goroutines is left. It waits up to 5 s: go-redis's own
// redial notices up to a second late that its client is closed (internal/pool,
// tryDial).
func NoLeaks(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		var err error
		if !Happens(5*time.Second, func() bool { err = goleak.Find(); return err == nil }) {
			t.Error(err)
		}
	})
}
