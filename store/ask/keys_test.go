package ask

import "testing"

// The keys are a contract: several versions of Tapedeck may share a Redis.
func TestKeys(t *testing.T) {
	for got, want := range map[string]string{
		channel("a:b"):    "tapedeck:{ask}:to:a%3Ab",
		requestKey("a:b"): "tapedeck:{ask}:request:a%3Ab",
	} {
		if got != want {
			t.Errorf("key %s, want %s", got, want)
		}
	}
}
