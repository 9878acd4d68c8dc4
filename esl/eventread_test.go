package esl

import (
	"iter"
)

// Body is the event's own body, nil if there is none. The caller must not change
// it.
func (e *Event) Body() []byte {
	if e == nil || e.body == len(e.text) {
		return nil
	}
	return e.text[e.body:]
}

// Len is the number of headers.
func (e *Event) Len() int {
	if e == nil {
		return 0
	}
	return len(e.heads)
}

// All yields every header, in the order of the event.
func (e *Event) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if e == nil {
			return
		}
		for _, s := range e.heads {
			if !yield(string(e.text[s.name:s.nameEnd]), e.value(s)) {
				return
			}
		}
	}
}
