package index

import (
	"slices"
	"strings"
)

// maxWords is how many words of a text are searched for.
const maxWords = 8

// word is a word that a recording must have: a name, an id or a number begins with
// it, or a number ends with it.
type word struct {
	text   string   // folded
	starts []string // digits
	ends   []string // digits
}

// nationalLength is the least number of digits of a national number. If a number
// is that long, a 0 before it is the one that is left out in calls from abroad.
const nationalLength = 6

// wordsOf splits a text into words. A text that can only be a number is one word,
// whatever spaces it has.
func wordsOf(text string) (list []word) {
	text = fold(text)
	if n := canonical(text); digits(n) {
		return append(list, numberWord(strings.TrimSpace(text)))
	}
	for _, w := range strings.Fields(text) {
		if len(list) == maxWords {
			break
		}
		if digits(canonical(w)) {
			list = append(list, numberWord(w))
		} else {
			list = append(list, word{text: w, starts: []string{w}})
		}
	}
	return list
}

func numberWord(text string) word {
	number := canonical(text)
	w := word{text: text, starts: []string{number}}
	if strings.HasPrefix(text, "+") {
		return w
	}
	typed := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
	w.ends = []string{typed}
	if typed != number {
		w.starts = append(w.starts, typed)
	}
	if len(typed) > nationalLength && typed[0] == '0' && typed[1] != '0' {
		w.ends = append(w.ends, typed[1:])
	}
	return w
}

// matcher is a Query, prepared for comparing recordings with it.
type matcher struct {
	*Query
	number string
	words  []word
}

func newMatcher(q *Query) *matcher {
	w := &matcher{Query: q, words: wordsOf(q.Text)}
	if q.Number != "" {
		w.number = canonical(q.Number)
	}
	return w
}

// matches reports whether a recording fits all of the Query but its period and its
// Before.
func (q *matcher) matches(r *Recording) bool {
	switch {
	case q.User != "" && !slices.Contains(r.Users, q.User),
		q.Number != "" && q.number != canonical(r.Number) && q.number != canonical(r.External),
		q.Group != "" && !slices.Contains(r.Groups, q.Group),
		q.Only.User != "" && !slices.Contains(r.Users, q.Only.User),
		len(q.Only.Groups) > 0 && !slices.ContainsFunc(r.Groups, func(g string) bool { return slices.Contains(q.Only.Groups, g) }),
		q.Trigger != "" && q.Trigger != r.Trigger,
		q.OnlyProblems && len(r.Problems) == 0:
		return false
	}
	return !slices.ContainsFunc(q.words, func(w word) bool { return !w.in(r) })
}

func (w *word) in(r *Recording) bool {
	begins := func(name string) bool { return strings.HasPrefix(fold(name), w.text) }
	return slices.ContainsFunc(r.Users, begins) || slices.ContainsFunc(r.Groups, begins) ||
		begins(r.RequestedBy) || begins(r.ID) || w.inNumber(r.External) || w.inNumber(r.Number)
}

func (w *word) inNumber(number string) bool {
	if number == "" {
		return false
	}
	number = canonical(number)
	return slices.ContainsFunc(w.starts, func(s string) bool { return strings.HasPrefix(number, s) }) ||
		digits(number) && slices.ContainsFunc(w.ends, func(s string) bool { return strings.HasSuffix(number, s) })
}
