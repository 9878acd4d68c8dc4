package words

import (
	"slices"
	"testing"
)

func TestWords(t *testing.T) {
	var got []string
	for _, n := range []int{0, 1, 2} {
		got = append(got, Count(n, "call"))
	}
	for _, ms := range []int64{0, 61_007, 3_600_000} {
		got = append(got, Position(ms))
	}
	for _, n := range []int64{0, 999, 1000, 1_500_000, 2e9} {
		got = append(got, Size(n))
	}
	want := []string{"0 calls", "1 call", "2 calls", "0:00.000", "1:01.007", "60:00.000", "0 bytes", "999 bytes", "1.0 kB", "1.5 MB", "2.0 GB"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
