package strictyaml

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Mistake is one thing wrong with a file that people write.
type Mistake struct {
	File string `json:"file"`
	Line int    `json:"line"` // from 1
	Text string `json:"text"` // what is wrong and what to write instead
}

// String writes file:line: text.
func (m Mistake) String() string { return fmt.Sprintf("%s:%d: %s", m.File, m.Line, m.Text) }

// Report is every mistake of such files, by file and line.
type Report struct {
	Mistakes []Mistake `json:"mistakes"`
}

// Error is a line for each mistake.
func (r *Report) Error() string {
	lines := make([]string, len(r.Mistakes))
	for i, m := range r.Mistakes {
		lines[i] = m.String()
	}
	if r.Full() {
		lines = append(lines, fmt.Sprintf("more than %d mistakes: the rest is not shown", maxMistakes))
	}
	return strings.Join(lines, "\n")
}

// maxMistakes bounds a report: who has more has named the wrong file.
const maxMistakes = 10_000

// Add notes one more.
func (r *Report) Add(m Mistake) { r.Mistakes = append(r.Mistakes, m) }

// Full reports whether there are so many that nobody wants to read more.
func (r *Report) Full() bool { return len(r.Mistakes) >= maxMistakes }

// Err is the report in the order of files and lines, each mistake once; nil when
// there is none.
func (r *Report) Err() error {
	if len(r.Mistakes) == 0 {
		return nil
	}
	slices.SortFunc(r.Mistakes, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Text, b.Text))
	})
	r.Mistakes = slices.Compact(r.Mistakes)
	return r
}
