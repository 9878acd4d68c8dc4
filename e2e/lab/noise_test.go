package lab

import (
	"testing"
	"time"
)

// TestNoise: the whole length of every stall that overlaps a period counts.
func TestNoise(t *testing.T) {
	n := WatchNoise()
	n.Stop()
	began := time.Now()
	n.at = []time.Time{began, began.Add(time.Second), began.Add(2 * time.Second)}
	n.long = []time.Duration{100 * time.Millisecond, 20 * time.Millisecond, 300 * time.Millisecond}
	if sum := n.Between(began.Add(50*time.Millisecond), began.Add(1500*time.Millisecond)); sum != 120*time.Millisecond {
		t.Errorf("between: %v, want 120ms", sum)
	}
	if l := n.LongestBetween(began.Add(50*time.Millisecond), began.Add(1500*time.Millisecond)); l != 100*time.Millisecond {
		t.Errorf("longest between: %v, want 100ms", l)
	}
	if l := n.Longest(); l != 300*time.Millisecond {
		t.Errorf("longest: %v, want 300ms", l)
	}
}
