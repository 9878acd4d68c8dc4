package testkit

import (
	"fmt"
	"testing"
	"time"
)

// Patience is how long a test waits for something that must happen. It is long,
// because a machine may be busy; a test that passes never waits that long.
const Patience = 30 * time.Second

// poll is how often Until and Within look again.
const poll = 2 * time.Millisecond

// Until waits until ok holds, and fails the test after Patience. It is for what
// nobody announces; where there is an event or a channel, wait for that. The
// failure names what was awaited, and prints the logs.
func Until(t testing.TB, what string, ok func() bool, logs ...fmt.Stringer) {
	t.Helper()
	Within(t, Patience, what, ok, logs...)
}

// Within is Until with a limit of its own.
func Within(t testing.TB, limit time.Duration, what string, ok func() bool, logs ...fmt.Stringer) {
	t.Helper()
	if Happens(limit, ok) {
		return
	}
	text := ""
	for _, log := range logs {
		text += "\n" + log.String()
	}
	t.Fatalf("not within %v: %s%s", limit, what, text)
}

// Happens waits until ok holds, and reports whether that was within the limit.
func Happens(limit time.Duration, ok func() bool) bool {
	for end := time.Now().Add(limit); !ok(); time.Sleep(poll) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
