package esltest

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestAlarmTakenBackLate: an alarm that is taken back while it waits for the switch is not
// carried out: a recording that was stopped does not stop again, and a prompt that is
// played anew is not ended by the one before.
func TestAlarmTakenBackLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sw := New(Options{})
		calls := 0
		sw.mu.Lock()
		taken := sw.after(time.Second, func() { calls++ })
		sw.after(time.Second, func() { calls++ })
		time.Sleep(time.Second) // both are due, and wait for the lock
		sw.cancel(taken)
		sw.mu.Unlock()
		synctest.Wait()
		if calls != 1 {
			t.Errorf("%d alarms were carried out, want the one that was not taken back", calls)
		}
		if err := sw.Close(); err != nil {
			t.Error(err)
		}
	})
}
