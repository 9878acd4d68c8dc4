package esl

import "strings"

// check is one argument of a command and its rule, which returns what is wrong
// with the argument, or "".
type check struct {
	what  string
	value string
	rule  func(string) (complaint string)
}

// line is the rule for an argument that FreeSWITCH reads to the end of the line.
func line(s string) string {
	switch {
	case strings.ContainsAny(s, "\r\n"):
		return "has a line break"
	case strings.ContainsRune(s, 0):
		return "has a NUL"
	}
	return ""
}

// filled is the rule for a line that must not be blank.
func filled(s string) string {
	if strings.TrimSpace(s) == "" {
		return "is empty"
	}
	return line(s)
}

// word is the rule for an argument that FreeSWITCH ends at a space, and in which
// it interprets quotes and backslashes (switch_utils.c,
// separate_string_blank_delim).
func word(s string) string {
	if complaint := filled(s); complaint != "" {
		return complaint
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
			return "has a space"
		case c < ' ' || c == 0x7f:
			return "has a control character"
		case c == '\'' || c == '\\':
			return "has a quote or a backslash"
		}
	}
	return ""
}

func recordAction(s string) string {
	switch RecordAction(s) {
	case RecordStart, RecordStop, RecordMask, RecordUnmask:
		return ""
	}
	return "is unknown"
}

func noVars(string) string { return "takes no variables" }

// recordPath is the rule for the path of a recording. {a=b} or [a=b] before a path
// would set parameters of the file.
func recordPath(s string) string {
	if strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[") {
		return "starts with a bracket"
	}
	return filled(s)
}

// braceWord is the rule for a name or value between the braces of uuid_record:
// FreeSWITCH percent-decodes the text there and then splits it at commas and
// equals signs (mod_commands.c, session_record_function; switch_event.c,
// switch_event_create_brackets).
func braceWord(s string) string {
	if strings.ContainsAny(s, `{}[],=%^"`) {
		return "has a character with a meaning between braces"
	}
	return word(s)
}

// eventHeader is the rule for the name of a header of sendevent. The name ends at
// the first colon, and Content-Length would announce a body: FreeSWITCH would read
// the next commands as that body (mod_event_socket.c, read_packet).
func eventHeader(s string) string {
	switch {
	case strings.EqualFold(s, "content-length"):
		return "announces a body"
	case strings.Contains(s, ":"):
		return "has a colon"
	}
	return word(s)
}

// unloads reports whether FreeSWITCH would read the command as an order to unload
// or reload the event socket module. It looks for these words anywhere in the
// command (mod_event_socket.c, parse_command, unload_cheat).
func unloads(wire string) bool {
	wire = strings.ToLower(wire)
	return strings.Contains(wire, "mod_event_socket") &&
		(strings.Contains(wire, "unload") || strings.Contains(wire, "reload"))
}

// special escapes the characters that FreeSWITCH interprets within an argument
// (switch_utils.c, cleanup_separated_string).
var special = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

// escape writes s as the last argument of an api command so that FreeSWITCH reads
// exactly s. Without it, FreeSWITCH removes quotes and backslashes, and spaces at
// both ends.
func escape(s string) string {
	body := strings.Trim(s, " ")
	start := strings.Index(s, body)
	if body == "" {
		return strings.Repeat(`\s`, len(s))
	}
	end := len(s) - start - len(body)
	return strings.Repeat(`\s`, start) + special.Replace(body) + strings.Repeat(`\s`, end)
}

// quote writes s as one of several arguments so that FreeSWITCH reads exactly s.
func quote(s string) string {
	if !strings.Contains(s, " ") {
		return special.Replace(s)
	}
	return "'" + special.Replace(s) + "'"
}
