package esltest

import (
	"crypto/rand"
	"fmt"
	"strings"
)

// newUUID is a random UUID (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// separate splits s as FreeSWITCH splits arguments: into at most max parts, of which
// the last takes the rest. Single quotes protect the delimiter. Then quotes, escapes
// and outer spaces are removed from each part (switch_utils.c,
// switch_separate_string).
func separate(s string, delim byte, max int) []string {
	if strings.HasPrefix(s, "^^") && len(s) > 3 {
		delim, s = s[2], s[3:]
	}
	var raw []string
	if delim == ' ' {
		raw = splitBlank(s, max)
	} else {
		raw = splitChar(s, delim, max)
	}
	for i := range raw {
		raw[i] = cleanPart(raw[i], delim)
	}
	return raw
}

func splitChar(s string, delim byte, max int) []string {
	var parts []string
	for s != "" {
		end := len(s)
		if len(parts)+1 < max {
			end = findDelim(s, delim, false)
		}
		parts = append(parts, s[:end])
		if end == len(s) {
			break
		}
		s = s[end+1:]
	}
	return parts
}

func splitBlank(s string, max int) []string {
	var parts []string
	s = strings.TrimLeft(s, " ")
	for s != "" {
		end := len(s)
		if len(parts)+1 < max {
			end = findDelim(s, ' ', true)
		}
		parts = append(parts, s[:end])
		s = strings.TrimLeft(s[end:], " ")
	}
	return parts
}

// findDelim returns the index of the first delimiter outside quotes, or len(s). A
// quote without a partner counts only when s is split at spaces (anyQuote).
func findDelim(s string, delim byte, anyQuote bool) int {
	inside := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '\'' && (anyQuote || inside || strings.IndexByte(s[i+1:], '\'') >= 0):
			inside = !inside
		case s[i] == delim && !inside:
			return i
		}
	}
	return len(s)
}

var escapes = map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', 's': ' '}

// cleanPart removes quotes, escapes and outer spaces from one part
// (switch_utils.c, cleanup_separated_string).
func cleanPart(s string, delim byte) string {
	s = strings.TrimLeft(s, " ")
	if delim == ' ' {
		delim = 0
	}
	var out []byte
	end, inside := 0, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			if e, ok := unescape(s[i+1], delim); ok {
				out = append(out, e)
				end = len(out)
				i++
				continue
			}
		}
		if c == '\'' && (inside || strings.IndexByte(s[i+1:], '\'') >= 0) {
			inside = !inside
			if inside {
				end = len(out)
			}
			continue
		}
		out = append(out, c)
		if c != ' ' || inside {
			end = len(out)
		}
	}
	return string(out[:end])
}

func unescape(c, delim byte) (byte, bool) {
	if c == '\'' || c == '"' || c == '\\' || (delim != 0 && c == delim) {
		return c, true
	}
	e, ok := escapes[c]
	return e, ok
}

// brackets reads `{a=b,c=d}` (switch_event.c, switch_event_create_brackets). For a
// text that does not begin with a brace it returns nothing.
func brackets(s string) []header {
	s = decodeURL(s)
	end := strings.LastIndexByte(s, '}')
	if !strings.HasPrefix(s, "{") || end < 0 {
		return nil
	}
	var vars []header
	for _, part := range separate(s[1:end], ',', 1024) {
		name, value, found := strings.Cut(part, "=")
		if found {
			vars = append(vars, header{strings.TrimSpace(name), strings.TrimSpace(value)})
		}
	}
	return vars
}

// cutWord returns the text up to the first space, and the text after it.
func cutWord(s string) (word, rest string) {
	word, rest, _ = strings.Cut(s, " ")
	return word, rest
}

// isTrue reports whether FreeSWITCH reads s as true (switch_utils.h, switch_true).
func isTrue(s string) bool {
	switch strings.ToLower(s) {
	case "yes", "on", "true", "t", "enabled", "active", "allow":
		return true
	}
	return atoi(s) != 0
}

// atoi reads leading digits as C does; 0 if there are none.
func atoi(s string) int {
	n, negative := 0, false
	for i, c := range strings.TrimLeft(s, " ") {
		switch {
		case i == 0 && (c == '-' || c == '+'):
			negative = c == '-'
		case c < '0' || c > '9' || n > 1<<30:
			if negative {
				return -n
			}
			return n
		default:
			n = n*10 + int(c-'0')
		}
	}
	if negative {
		return -n
	}
	return n
}
