// Package flowtest gives tests a policy from its text.
package flowtest

import (
	"os"
	"path/filepath"
	"testing"

	"tapedeck/flow"
)

// Policy returns the policy of a file with this text. The test fails if the text
// has mistakes.
func Policy(t testing.TB, text string) *flow.Policy {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := flow.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
