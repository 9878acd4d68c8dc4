package testkit

import (
	"os"
	"testing"
)

// Replace gives a file a new text by renaming, as editors do: whoever reads the
// path sees the old text or the new one, never a part. The file need not exist.
func Replace(t testing.TB, path, text string) {
	t.Helper()
	fresh := path + ".new"
	if err := os.WriteFile(fresh, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, path); err != nil {
		t.Fatal(err)
	}
}
