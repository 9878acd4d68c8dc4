package recording

import (
	"time"

	"tapedeck/internal/tidy"
)

// The longest texts in a sidecar, in bytes. A phone may send any text.
const (
	maxText    = 256
	maxProblem = 400
	maxReason  = 1000
)

// tidy returns s as it is written: texts made harmless, times in UTC, no list nil.
func (s Sidecar) tidy() Sidecar {
	s = s.clone()
	if s.Part == 1 {
		s.Part = 0
	}
	for _, text := range []*string{&s.Call, &s.Organisation, &s.Direction, &s.External, &s.Number, &s.Switch, &s.Anchor,
		&s.Trigger, &s.RequestedBy, &s.Previous, &s.Next} {
		*text = tidy.Text(*text, maxText)
	}
	for _, t := range []*time.Time{&s.Started, &s.Answered, &s.Ended} {
		*t = tidy.Time(*t)
	}
	s.Decided = s.Decided.tidy()
	s.Users, s.Problems = tidyTexts(s.Users, maxText), tidyTexts(s.Problems, maxProblem+maxText)
	s.Spans = append([]Span{}, s.Spans...)
	for i := range s.Spans {
		s.Spans[i].State, s.Spans[i].Cause = tidy.Text(s.Spans[i].State, maxText), s.Spans[i].Cause.tidy()
	}
	s.Trace = append([]Note{}, s.Trace...)
	for i := range s.Trace {
		s.Trace[i] = s.Trace[i].tidy()
	}
	if f := s.File; f != nil {
		f.Name, f.SHA256, f.Began, f.Stopped = tidy.Text(f.Name, maxText), tidy.Text(f.SHA256, maxText), tidy.Time(f.Began), tidy.Time(f.Stopped)
		if f.Parties != nil {
			f.Parties = tidyTexts(f.Parties, maxText)
		}
	}
	if h := s.Hold; h != nil {
		*h = Hold{tidy.Text(h.By, maxText), tidy.Text(h.Reason, maxReason), tidy.Time(h.At)}
	}
	return s
}

func tidyTexts(texts []string, max int) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = tidy.Text(text, max)
	}
	return out
}

func (c Cause) tidy() Cause {
	return Cause{tidy.Text(c.Element, maxText), tidy.Text(c.Setting, maxText), tidy.Text(c.Toggle, maxText), tidy.Text(c.User, maxText), tidy.Text(c.By, maxText)}
}

func (n Note) tidy() Note {
	for _, text := range []*string{&n.What, &n.Element, &n.Setting, &n.Method, &n.User, &n.By, &n.State, &n.Call} {
		*text = tidy.Text(*text, maxText)
	}
	n.Result, n.At = tidy.Text(n.Result, maxProblem+maxText), tidy.Time(n.At)
	return n
}
