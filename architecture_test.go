package tapedeck

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// arrowForm is an arrow of the picture in docs/architecture.md: a --> b & c.
var arrowForm = regexp.MustCompile(`(?m)^ +(\w+) --> (.*)$`)

// TestPicture: the picture in docs/architecture.md has the arrows of imports_test.go
// between the folders at the root, and no others. What only tests use is left out.
func TestPicture(t *testing.T) {
	text, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[string]bool{}
	for _, m := range arrowForm.FindAllStringSubmatch(string(text), -1) {
		for to := range strings.SplitSeq(m[2], "&") {
			drawn[m[1]+" --> "+strings.TrimSpace(to)] = true
		}
	}
	real := map[string]bool{}
	for from, all := range mayImport {
		for _, to := range all {
			a, b := topFolder(from), topFolder(to)
			if a != "" && b != "" && a != b {
				real[a+" --> "+b] = true
			}
		}
	}
	for _, arrow := range slices.Sorted(maps.Keys(real)) {
		if !drawn[arrow] {
			t.Errorf("docs/architecture.md does not draw %s", arrow)
		}
	}
	for _, arrow := range slices.Sorted(maps.Keys(drawn)) {
		if !real[arrow] {
			t.Errorf("docs/architecture.md draws %s, which imports_test.go does not allow", arrow)
		}
	}
}

// topFolder is the folder at the root that a package is in; "" for what only tests use.
func topFolder(name string) string {
	folder, _, _ := strings.Cut(name, "/")
	if folder == "e2e" || strings.HasSuffix(name, "test") || strings.HasSuffix(name, "testkit") || name == "internal/wire" {
		return ""
	}
	return folder
}

// TestRooms: docs/design.md, sections 4 and 13 (packages), has every package, but
// those that only tests use.
func TestRooms(t *testing.T) {
	text, err := os.ReadFile("docs/design.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(mayImport)) {
		if topFolder(name) != "" && !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/design.md, section 13, does not say what %s is", name)
		}
	}
}

// walkMost is how many files the walks in docs/architecture.md may pass.
var walkMost = map[string]int{"## The walk of a press": 8, "## The walk of a new call": 16}

// TestWalks: each walk has no more files than it may, each step names one, and none
// comes twice.
func TestWalks(t *testing.T) {
	for heading, most := range walkMost {
		seen := map[string]bool{}
		within := false
		for _, l := range readMarkdown(t, "docs/architecture.md").lines {
			if strings.HasPrefix(l.text, "## ") {
				within = strings.HasPrefix(l.text, heading)
			}
			if !within || !stepForm.MatchString(l.text) {
				continue
			}
			m := linkForm.FindStringSubmatch(l.text)
			if m == nil || seen[m[1]] {
				t.Errorf("%s: name one file, which no other step names", l.at)
				continue
			}
			seen[m[1]] = true
			file, err := os.ReadFile("docs/" + m[1])
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range functionsIn(l) {
				if !strings.Contains(string(file), name+"(") {
					t.Errorf("%s: %s has no %s", l.at, m[1], name)
				}
			}
		}
		if len(seen) == 0 || len(seen) > most {
			t.Errorf("docs/architecture.md, %s: %d files, at most %d", heading, len(seen), most)
		}
	}
}

// functionsIn are the words that a step of a walk shows as code and that are no more than
// a name: functions of its file, but for what is named here.
func functionsIn(l line) (names []string) {
	for _, shown := range l.shown() {
		if functionForm.MatchString(shown) && shown != "toggle" && shown != "exit" {
			names = append(names, shown)
		}
	}
	return names
}

var functionForm = regexp.MustCompile(`^[A-Za-z]+$`)
