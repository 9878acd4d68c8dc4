// Package tidy makes texts and times that come from outside fit to be written into
// files, logs and terminals.
package tidy

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Text returns a text from outside as harmless one: valid UTF-8 of at most max
// bytes, on one line, without control characters and without invisible ones and
// those that turn the direction of writing. Where its end is cut off it ends in "…".
func Text(text string, max int) string {
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

// isPlain reports whether a text is visible ASCII with single spaces inside.
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

// Time returns t in UTC, to the millisecond. It returns the zero time for one that
// JSON cannot express.
func Time(t time.Time) time.Time {
	t = t.UTC().Truncate(time.Millisecond)
	if y := t.Year(); y < 1 || y > 9999 {
		return time.Time{}
	}
	return t
}

// IsWord reports whether a text from outside is safe as one argument of a command or an
// application: a name, a domain, an address with its port. It has at least one character,
// and no others than ASCII letters, digits and . - _ : [ ].
func IsWord(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".-:[]_", r)
	})
}
