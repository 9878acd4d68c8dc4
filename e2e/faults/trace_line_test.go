package faults

import (
	"testing"
	"time"
)

// TestLineOfATrace: two presses 365 ms apart, on a machine that traced the first one
// only 45 ms before the second was made. One line is of one press.
func TestLineOfATrace(t *testing.T) {
	at := func(ms int) time.Time { return time.Unix(1000, 0).Add(time.Duration(ms) * time.Millisecond) }
	first := &press{at: at(1765), until: at(2130), method: "dtmf", ext: "1002", bound: true}
	second := &press{at: at(2130), method: "dtmf", ext: "1002", bound: true}
	c := &call{presses: []*press{first, second}}
	for _, tc := range []struct {
		line          int
		first, second bool
	}{
		{2085, true, false}, // seed 122
		{2140, false, true},
		{1740, true, false},
		{1700, false, false},
	} {
		if got := c.isOf(first, at(tc.line)); got != tc.first {
			t.Errorf("the line at %d ms is of the first press: %t", tc.line, got)
		}
		if got := c.isOf(second, at(tc.line)); got != tc.second {
			t.Errorf("the line at %d ms is of the second press: %t", tc.line, got)
		}
	}
}
