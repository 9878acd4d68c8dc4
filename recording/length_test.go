package recording

import (
	"slices"
	"testing"
)

func TestLength(t *testing.T) {
	var got []string
	for _, ms := range []int64{0, 499, 59_500, 3_599_499, 3_599_500, 36_000_000} {
		got = append(got, Length(ms))
	}
	want := []string{"0:00", "0:00", "1:00", "59:59", "1:00:00", "10:00:00"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
