// Package query reads what a request asks for from the words of its address: the
// filters of a list of recordings, its page, and those of the audit log.
package query

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tapedeck/console/ops"
)

// maxLimit is how many entries a page may have.
const maxLimit = 200

// maxFilter is the longest value of a filter, in bytes.
const maxFilter = 256

// Form reads values from an address, and keeps the first mistake. The mistakes are
// for whoever asked.
type Form struct {
	Values url.Values
	Err    error
}

func (f *Form) refuse(format string, args ...any) {
	if f.Err == nil {
		f.Err = ops.BadRequest(format, args...)
	}
}

// Known refuses names that are not among these: a misspelt filter would show
// everything.
func (f *Form) Known(names ...string) {
	for name := range f.Values {
		if !slices.Contains(names, name) {
			f.refuse("%.50q is not known here: use %s", name, strings.Join(names, ", "))
		}
	}
}

// Text returns a value that is given at most once.
func (f *Form) Text(name string) string {
	if len(f.Values[name]) > 1 {
		f.refuse("%s: it is given more than once", name)
	}
	return f.check(name, f.Values.Get(name))
}

func (f *Form) check(name, value string) string {
	switch {
	case len(value) > maxFilter:
		f.refuse("%s: it has %d bytes: use at most %d", name, len(value), maxFilter)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		f.refuse("%s: it is no text", name)
	default:
		return value
	}
	return ""
}

// List returns a value that may be given more than once, without what comes again.
func (f *Form) List(name string) (list []string) {
	if len(f.Values[name]) > maxLimit {
		f.refuse("%s: it is given more than %d times", name, maxLimit)
		return nil
	}
	for _, value := range f.Values[name] {
		if value = f.check(name, value); value != "" && !slices.Contains(list, value) {
			list = append(list, value)
		}
	}
	return list
}

// OneOf returns a value that is empty or one of those allowed.
func (f *Form) OneOf(name string, allowed ...string) string {
	value := f.Text(name)
	if value != "" && !slices.Contains(allowed, value) {
		f.refuse("%s: use %s", name, strings.Join(allowed, ", "))
	}
	return value
}

// Number returns a number from least to most; 0 if it is not given.
func (f *Form) Number(name string, least, most int64) int64 {
	text := f.Text(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		f.refuse("%s: use a number from %d to %d", name, least, most)
	}
	return n
}

// Time returns a moment; a day is its midnight in the zone, with days added to it.
func (f *Form) Time(name string, zone *time.Location, days int) time.Time {
	text := f.Text(name)
	if text == "" {
		return time.Time{}
	}
	// A plus that was not escaped in an address has become a space.
	if t, err := time.Parse(time.RFC3339, strings.Replace(text, " ", "+", 1)); err == nil && sane(t) {
		return t.UTC()
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} { // as browsers' forms send it
		if t, err := time.ParseInLocation(layout, text, zone); err == nil && sane(t) {
			return t.UTC()
		}
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil && sane(t) {
		return t.AddDate(0, 0, days).UTC()
	}
	f.refuse("%s: use a time such as 2026-11-21T14:00:00Z, or a day such as 2026-11-21", name)
	return time.Time{}
}

// sane reports whether a time can be written in JSON, and be a score in Redis.
func sane(t time.Time) bool { return t.Year() >= 1 && t.Year() <= 9998 }
