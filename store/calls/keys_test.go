package calls

import "testing"

// The keys are a contract: several versions of Tapedeck may share a Redis.
func TestKeys(t *testing.T) {
	for got, want := range map[string]string{
		organisationsKey:      "tapedeck:{calls}:organisations",
		changedChannel:        "tapedeck:{calls}:changed",
		instancesKey:          "tapedeck:{instances}:known",
		callKey("a b", "c:d"): "tapedeck:{a%20b}:live:c%3Ad",
		callsKey("a b"):       "tapedeck:{a%20b}:live",
		beatKey("a:b"):        "tapedeck:{instances}:beat:a%3Ab",
		pulseKey("a:b"):       "tapedeck:{instances}:pulse:a%3Ab",
	} {
		if got != want {
			t.Errorf("key %s, want %s", got, want)
		}
	}
}
