package recording

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// auditLines are the lines of the audit file, all of which have to be whole.
func auditLines(t *testing.T, a *Audit) (lines []AuditLine) {
	t.Helper()
	text, err := os.ReadFile(a.Path())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var l AuditLine
		if err := json.Unmarshal([]byte(line), &l); err != nil || !strings.HasSuffix(line, "\n") {
			t.Fatalf("%v: %q", err, line)
		}
		lines = append(lines, l)
	}
	return lines
}

func TestAudit(t *testing.T) {
	a := NewAudit(tempDir(t))
	evil := "a\n{\"who\":\"root\"}\x00\xff"
	if err := a.Add(AuditLine{At: day, Who: evil, What: AuditListen, Organisation: evil, Recording: evil, From: evil, Detail: strings.Repeat(evil, 1000)}); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := range 20 {
				if err := NewAudit(Dir{strings.TrimSuffix(a.Path(), "/"+auditName)}).Add(AuditLine{At: day, What: fmt.Sprint(i, n)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	lines := auditLines(t, a)
	if len(lines) != 161 || lines[0].Who == "root" || !lines[0].At.Equal(day) {
		t.Errorf("%d lines, the first %+v", len(lines), lines[0])
	}
}

// A line that a power cut left without its end does not spoil the next one.
func TestAuditTorn(t *testing.T) {
	a := NewAudit(tempDir(t))
	if err := os.WriteFile(a.Path(), []byte(`{"at":"2026-03-`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.Add(AuditLine{At: day, What: AuditListen}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(a.Path())
	want := `{"at":"2026-03-` + "\n" + `{"at":"2026-03-09T12:00:00Z","who":"","what":"listen"}` + "\n"
	if err != nil || string(text) != want {
		t.Errorf("%q, %v", text, err)
	}
}
