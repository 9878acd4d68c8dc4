package console

import (
	"cmp"
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/store/index"
)

// maxLimit is how many entries a page may have.
const maxLimit = 200

// maxFilter is the longest value of a filter, in bytes.
const maxFilter = 256

// filterNames are the filters of a list of recordings, as they are in an address.
var filterNames = []string{"organisation", "from", "to", "number", "user", "group", "trigger", "problems", "q"}

// readQuery reads a query of recordings from an address: the filters, limit and
// cursor. Days without a time are those of the zone; `to` is without the moment
// itself, but with the day. What it does not know it leaves alone. The errors are
// for whoever asked.
func readQuery(values url.Values, p *flow.Policy, zone *time.Location) (index.Query, error) {
	f := form{values: values}
	q := index.Query{
		Organisations: f.list("organisation"),
		From:          f.time("from", zone, 0),
		To:            f.time("to", zone, 1),
		Number:        number(p, f.text("number")),
		User:          f.text("user"),
		Group:         f.text("group"),
		Trigger:       f.oneOf("trigger", recording.TriggerAutomatic, recording.TriggerOnDemand),
		OnlyProblems:  f.oneOf("problems", "0", "1") == "1",
		Text:          strings.TrimSpace(f.text("q")),
		Limit:         int(f.number("limit", 1, maxLimit)),
	}
	q.Before = f.cursor("cursor")
	if f.err == nil && !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		f.refuse("to: it is not after from")
	}
	return q, f.err
}

// onlyFilters are the filters alone: what a link to the same recordings has.
func onlyFilters(values url.Values) url.Values {
	kept := url.Values{}
	for _, name := range filterNames {
		for _, value := range values[name] {
			if value != "" {
				kept.Add(name, value)
			}
		}
	}
	return kept
}

// number is a telephone number as recordings have it, if it can be read as one. A
// plus that was not escaped in an address has become a space.
func number(p *flow.Policy, text string) string {
	if trimmed := strings.TrimSpace(text); trimmed != text && strings.HasPrefix(text, " ") {
		if e164, ok := p.Normalise("+" + trimmed); ok {
			return e164
		}
	}
	if e164, ok := p.Normalise(text); ok {
		return e164
	}
	return strings.TrimSpace(text)
}

// form reads values from an address, and keeps the first mistake.
type form struct {
	values url.Values
	err    error
}

func (f *form) refuse(format string, args ...any) {
	if f.err == nil {
		f.err = badRequest(format, args...)
	}
}

// known refuses names that are none of these: a filter that is misspelt would
// show everything.
func (f *form) known(names ...string) {
	for name := range f.values {
		if !slices.Contains(names, name) {
			f.refuse("%.50q is not known here: use %s", name, strings.Join(names, ", "))
		}
	}
}

// text is a single value.
func (f *form) text(name string) string {
	if len(f.values[name]) > 1 {
		f.refuse("%s: it is given more than once", name)
	}
	return f.check(name, f.values.Get(name))
}

func (f *form) check(name, value string) string {
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

// list is a value that may be given more than once.
func (f *form) list(name string) (list []string) {
	if len(f.values[name]) > maxLimit {
		f.refuse("%s: it is given more than %d times", name, maxLimit)
		return nil
	}
	for _, value := range f.values[name] {
		if value = f.check(name, value); value != "" && !slices.Contains(list, value) {
			list = append(list, value)
		}
	}
	return list
}

func (f *form) oneOf(name string, allowed ...string) string {
	value := f.text(name)
	if value != "" && !slices.Contains(allowed, value) {
		f.refuse("%s: use %s", name, strings.Join(allowed, ", "))
	}
	return value
}

func (f *form) number(name string, least, most int64) int64 {
	text := f.text(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		f.refuse("%s: use a number from %d to %d", name, least, most)
	}
	return n
}

// time is a moment, or a day, to which days are added.
func (f *form) time(name string, zone *time.Location, days int) time.Time {
	text := f.text(name)
	if text == "" {
		return time.Time{}
	}
	// A plus that was not escaped in an address has become a space.
	if t, err := time.Parse(time.RFC3339, strings.Replace(text, " ", "+", 1)); err == nil && sane(t) {
		return t.UTC()
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} { // as forms send it
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

// cursorText is a place in the list as it is in an address: opaque to others.
func cursorText(c index.Cursor) string {
	if c == (index.Cursor{}) {
		return ""
	}
	text := strconv.FormatInt(c.Started.UnixMilli(), 10) + "/" + c.Organisation + "/" + c.ID
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

func (f *form) cursor(name string) index.Cursor {
	text := f.text(name)
	if text == "" {
		return index.Cursor{}
	}
	c, ok := parseCursor(text)
	if !ok {
		f.refuse("%s: use one that came with a list, as it is", name)
	}
	return c
}

func parseCursor(text string) (index.Cursor, bool) {
	plain, err := base64.RawURLEncoding.DecodeString(text)
	words := strings.Split(string(plain), "/")
	if err != nil || len(words) != 3 {
		return index.Cursor{}, false
	}
	ms, err := strconv.ParseInt(words[0], 10, 64)
	_, _, bad := recording.ParseID(words[2])
	t := time.UnixMilli(ms).UTC()
	return index.Cursor{Started: t, ID: words[2], Organisation: words[1]}, cmp.Or(err, bad) == nil && sane(t)
}
