package testkit

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Golden compares text with the golden file. With -update it writes the file
// instead, and the difference is for a person to read.
func Golden(t testing.TB, path, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.SplitAfter(string(b), "\n")
	for i, line := range strings.SplitAfter(text, "\n") {
		if i >= len(want) || line != want[i] {
			t.Errorf("%s:%d: the line would be %q: run `go test -update` here and read the difference", path, i+1, line)
			return
		}
	}
	if len(text) != len(b) {
		t.Errorf("%s has more lines than the %d that it should have: run `go test -update` here and read the difference", path, strings.Count(text, "\n"))
	}
}
