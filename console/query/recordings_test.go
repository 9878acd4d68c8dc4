package query

import (
	"testing"

	"tapedeck/flow"
)

// TestNumberFilter: a number is found in whatever form the policy reads, also if
// its plus has become a space in an address.
func TestNumberFilter(t *testing.T) {
	for _, tc := range []struct{ region, text, want string }{
		{"GB", "020 7946 0555", "+442079460555"}, {"", " 442079460555", "+442079460555"}, {"", "442079460555", "442079460555"},
		{"", " 1001", "1001"}, {"GB", "anonymous ", "anonymous"}, {"GB", "", ""},
	} {
		if got := telephone(&flow.Policy{Region: tc.region}, tc.text); got != tc.want {
			t.Errorf("%q in %q: %q, want %q", tc.text, tc.region, got, tc.want)
		}
	}
}
