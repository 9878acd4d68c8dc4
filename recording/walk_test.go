package recording

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

func TestFind(t *testing.T) {
	d := tempDir(t)
	one := put(t, d, sample("one"))
	later := sample("two")
	later.Organisation, later.Started, later.Part = "zeta", day.AddDate(1, 2, 3), 3
	two := put(t, d, later)
	if err := os.Remove(two); err != nil { // the sidecar is enough
		t.Fatal(err)
	}
	for id, want := range map[string]string{"one": one, "two.part3": two} {
		if got, err := Find(t.Context(), d, id); err != nil || got != want {
			t.Errorf("Find(%q) = %q, %v", id, got, err)
		}
	}
	for _, id := range []string{"two", "three", "", "..", "../one", "one.wav", "*", "one\x00", "one.part1"} {
		if got, err := Find(t.Context(), d, id); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Find(%q) = %q, %v", id, got, err)
		}
	}
}
