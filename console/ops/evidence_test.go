package ops

import (
	"testing"
	"time"
)

// TestWrongTokens: whoever tries tokens from ever new addresses does not fill the disk,
// and what was not written is counted in the next line.
func TestWrongTokens(t *testing.T) {
	var w wrongTokens
	now := time.Date(2026, 3, 9, 12, 0, 0, 0, time.UTC)
	written := 0
	for i := range 1000 {
		if _, ok := w.take(now.Add(time.Duration(i) * time.Millisecond)); ok {
			written++
		}
	}
	if written != wrongPerMinute {
		t.Errorf("%d lines in a second", written)
	}
	if skipped, ok := w.take(now.Add(time.Minute)); !ok || skipped != 1000-wrongPerMinute {
		t.Errorf("%v, %d", ok, skipped)
	}
	if skipped, ok := w.take(now.Add(time.Minute)); !ok || skipped != 0 {
		t.Errorf("%v, %d", ok, skipped)
	}
}
