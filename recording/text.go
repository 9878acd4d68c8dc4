package recording

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The longest texts in a sidecar, in bytes. What a phone sends may be anything.
const (
	maxText    = 256
	maxProblem = 400
	maxReason  = 1000
)

// Clean makes a text from outside harmless: valid UTF-8 of at most max bytes, on
// one line, without control characters and without those that turn the direction
// of writing or cannot be seen. What was left out at the end is shown as "…".
func Clean(text string, max int) string {
	const cut = "…"
	if isPlain(text) && len(text) <= max {
		return text
	}
	whole := len(text) <= 4*max+16
	if !whole {
		text = text[:4*max+16]
	}
	var b strings.Builder
	for _, r := range strings.TrimSpace(text) {
		switch {
		case r == '\n' || r == '\r' || r == '\t' || unicode.Is(unicode.Z, r):
			r = ' '
		case r == utf8.RuneError || unicode.Is(unicode.C, r):
			r = utf8.RuneError
		}
		if b.Len()+utf8.RuneLen(r) > max {
			whole = false
			break
		}
		b.WriteRune(r)
	}
	if whole {
		return b.String()
	}
	out := b.String()
	if max < len(cut) {
		return out
	}
	for len(out) > max-len(cut) {
		_, size := utf8.DecodeLastRuneInString(out)
		out = out[:len(out)-size]
	}
	return out + cut
}

// isPlain reports whether a text is of visible ASCII, with single spaces inside.
func isPlain(text string) bool {
	before := byte(' ')
	for _, b := range []byte(text) {
		if b < ' ' || b > '~' || b == ' ' && before == ' ' {
			return false
		}
		before = b
	}
	return before != ' ' || text == ""
}

// utc is t as it is written: in UTC, to the millisecond. A time that JSON cannot
// say is none.
func utc(t time.Time) time.Time {
	t = t.UTC().Truncate(time.Millisecond)
	if y := t.Year(); y < 1 || y > 9999 {
		return time.Time{}
	}
	return t
}

// tidy is s as it is written: texts cleaned, times in UTC, no list nil.
func (s Sidecar) tidy() Sidecar {
	s = s.clone()
	if s.Part == 1 {
		s.Part = 0
	}
	for _, text := range []*string{&s.Call, &s.Organisation, &s.Direction, &s.External, &s.Number, &s.Switch, &s.Anchor,
		&s.Trigger, &s.RequestedBy, &s.Previous, &s.Next} {
		*text = Clean(*text, maxText)
	}
	for _, t := range []*time.Time{&s.Started, &s.Answered, &s.Ended} {
		*t = utc(*t)
	}
	s.Decided = s.Decided.tidy()
	s.Users, s.Problems = tidyTexts(s.Users, maxText), tidyTexts(s.Problems, maxProblem+maxText)
	s.Spans = append([]Span{}, s.Spans...)
	for i := range s.Spans {
		s.Spans[i].State, s.Spans[i].Cause = Clean(s.Spans[i].State, maxText), s.Spans[i].Cause.tidy()
	}
	s.Trace = append([]Note{}, s.Trace...)
	for i := range s.Trace {
		s.Trace[i] = s.Trace[i].tidy()
	}
	if f := s.File; f != nil {
		f.Name, f.SHA256, f.Began, f.Stopped = Clean(f.Name, maxText), Clean(f.SHA256, maxText), utc(f.Began), utc(f.Stopped)
	}
	if h := s.Hold; h != nil {
		*h = Hold{Clean(h.By, maxText), Clean(h.Reason, maxReason), utc(h.At)}
	}
	return s
}

func tidyTexts(texts []string, max int) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = Clean(text, max)
	}
	return out
}

func (c Cause) tidy() Cause {
	return Cause{Clean(c.Element, maxText), Clean(c.Setting, maxText), Clean(c.Toggle, maxText), Clean(c.User, maxText), Clean(c.By, maxText)}
}

func (n Note) tidy() Note {
	for _, text := range []*string{&n.What, &n.Element, &n.Setting, &n.Method, &n.User, &n.By, &n.State} {
		*text = Clean(*text, maxText)
	}
	n.Result, n.At = Clean(n.Result, maxProblem+maxText), utc(n.At)
	return n
}
