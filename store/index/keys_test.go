package index

import "testing"

// The keys are a contract: several versions of Tapedeck may share a Redis.
func TestKeys(t *testing.T) {
	for got, want := range map[string]string{
		recordersKey:               "tapedeck:{recordings}:organisations",
		indexedKey:                 "tapedeck:{recordings}:indexed:2",
		indexingKey:                "tapedeck:{recordings}:indexing",
		recordingKey("a b", "c:d"): "tapedeck:{a%20b}:recording:c%3Ad",
		facetKey("a b", byUser):    "tapedeck:{a%20b}:recordings:by-user",
		writtenKey("a b"):          "tapedeck:{a%20b}:recordings:written",
		deletedKey("a b"):          "tapedeck:{a%20b}:recordings:deleted",
		stampKey("a b"):            "tapedeck:{a%20b}:recordings:stamp",
	} {
		if got != want {
			t.Errorf("key %s, want %s", got, want)
		}
	}
}
