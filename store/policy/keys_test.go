package policy

import "testing"

// The keys are a contract: several versions of Tapedeck may share a Redis.
func TestKeys(t *testing.T) {
	for got, want := range map[string]string{
		currentKey:              "tapedeck:{policy}:current",
		switchedChannel:         "tapedeck:{policy}:switched",
		policyKey("a b", "c:d"): "tapedeck:{a%20b}:policy:c%3Ad",
	} {
		if got != want {
			t.Errorf("key %s, want %s", got, want)
		}
	}
}
