package api_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestDocumentedCurl: TestCurl runs every curl command of docs/console.md.
func TestDocumentedCurl(t *testing.T) {
	run, err := os.ReadFile("testdata/curl.txt")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/console.md")
	if err != nil {
		t.Fatal(err)
	}
	tried, n := strings.Split(string(run), "\n"), 0
	for line := range strings.Lines(string(page)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "curl ") {
			if n++; !slices.Contains(tried, line) {
				t.Errorf("nobody runs %s", line)
			}
		}
	}
	if n < 5 {
		t.Errorf("%d examples in docs/console.md", n)
	}
}
