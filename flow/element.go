package flow

import (
	"fmt"
	"strings"
)

// Kind is what sort of thing an element is.
type Kind string

// The kinds of elements.
const (
	Number      Kind = "number"
	RingGroup   Kind = "ring_group"
	Application Kind = "application"
	User        Kind = "user"
)

// Element is a thing on the route of a call that has a record setting. The zero
// Element means "nobody".
type Element struct {
	Kind Kind
	ID   string
}

// String writes kind/id, as `tapedeck_element` and the command line do; the
// zero Element is "nobody".
func (e Element) String() string {
	if e == (Element{}) {
		return "nobody"
	}
	return string(e.Kind) + "/" + e.ID
}

// ParseElement reads kind/id.
func ParseElement(s string) (Element, error) {
	kind, id, found := strings.Cut(s, "/")
	switch k := Kind(kind); k {
	case Number, RingGroup, Application, User:
		if !found || id == "" {
			return Element{}, fmt.Errorf("element %q has no id: write %s/ID", s, kind)
		}
		return Element{k, id}, nil
	}
	return Element{}, fmt.Errorf("unknown element %q: write number/, ring_group/, application/ or user/ and an id", s)
}

// MarshalText writes kind/id, and nothing for the zero Element.
func (e Element) MarshalText() ([]byte, error) {
	if e == (Element{}) {
		return nil, nil
	}
	return []byte(e.String()), nil
}

// UnmarshalText reads kind/id; empty text is the zero Element.
func (e *Element) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*e = Element{}
		return nil
	}
	*e, err = ParseElement(string(b))
	return err
}
