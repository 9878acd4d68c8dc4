package access

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Mistake is one thing wrong with an accounts file. Its text shows nothing that
// is secret.
type Mistake struct {
	File string
	Line int // from 1
	Text string
}

// Report is every mistake of an accounts file, by line.
type Report struct{ Mistakes []Mistake }

// Error is a line for each mistake: file:line: text.
func (r *Report) Error() string {
	lines := make([]string, len(r.Mistakes))
	for i, m := range r.Mistakes {
		lines[i] = fmt.Sprintf("%s:%d: %s", m.File, m.Line, m.Text)
	}
	return strings.Join(lines, "\n")
}

// err is the report in the order of lines; nil when there is no mistake.
func (r *Report) err() error {
	if len(r.Mistakes) == 0 {
		return nil
	}
	slices.SortStableFunc(r.Mistakes, func(a, b Mistake) int { return cmp.Compare(a.Line, b.Line) })
	return r
}
