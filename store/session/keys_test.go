package session

import "testing"

// The keys are a contract: several versions of Tapedeck may share a Redis.
func TestKeys(t *testing.T) {
	for got, want := range map[string]string{
		sessionKey("a:b"):  "tapedeck:{sessions}:session:a%3Ab",
		sessionsKey("a b"): "tapedeck:{sessions}:of:a%20b",
	} {
		if got != want {
			t.Errorf("key %s, want %s", got, want)
		}
	}
}
