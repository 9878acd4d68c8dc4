package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tapedeck/console"
	"tapedeck/console/consoletest"
	"tapedeck/console/ops"
)

// TestEvidenceOnPage: the audit page says what the last verification of the evidence log
// found, to operators alone.
func TestEvidenceOnPage(t *testing.T) {
	var e ops.Evidence
	l := consoletest.New(t, func(c *console.Config) { c.Evidence = func() ops.Evidence { return e } })
	root, at := l.As("root"), time.Date(2026, 3, 9, 12, 0, 0, 0, time.UTC)
	for want, is := range map[string]ops.Evidence{
		"There is no evidence log": {},
		"was not verified yet":     {Kept: true},
		"agree with the 12 entries of the evidence log. Nobody signs it: there is no key.": {Kept: true, At: at, Entries: 12},
		"does not prove 3 recordings":          {Kept: true, Signed: true, At: at, Entries: 12, Older: 3},
		"disagrees with the files in 2 places": {Kept: true, At: at, Wrong: 2, Findings: []string{"one <i>", "two"}},
		"was not verified: the disk":           {Kept: true, At: at, Failed: "the disk"},
	} {
		e = is
		page := l.Page(root, "/audit", http.StatusOK)
		if !strings.Contains(page, want) || strings.Contains(page, "<i>") {
			t.Errorf("%q is not on the page", want)
		}
		for _, f := range is.Findings[min(1, len(is.Findings)):] {
			if !strings.Contains(page, "<li><bdi>"+f+"</bdi></li>") {
				t.Errorf("%q is not on the page", f)
			}
		}
		if strings.Contains(l.Page(l.As("anna"), "/audit", http.StatusOK), "vidence log") {
			t.Error("an organisation is told of the log of all")
		}
	}
}
