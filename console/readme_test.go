package console

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestReadmeCurl: what the README tells people to type is among what TestCurl runs.
func TestReadmeCurl(t *testing.T) {
	run, err := os.ReadFile("testdata/curl.txt")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	tried, n := strings.Split(string(run), "\n"), 0
	for line := range strings.Lines(string(readme)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "curl ") {
			if n++; !slices.Contains(tried, line) {
				t.Errorf("nobody runs %s", line)
			}
		}
	}
	if n < 5 {
		t.Errorf("%d examples in the README", n)
	}
}
