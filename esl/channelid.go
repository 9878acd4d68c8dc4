package esl

import "strings"

// maxChannelID is the longest UUID of a channel (switch_apr.h,
// SWITCH_UUID_FORMATTED_LENGTH).
const maxChannelID = 256

// channelID checks the id of a channel, which becomes part of commands and of
// file names. The id is FreeSWITCH's own UUID, or comes from origination_uuid or
// from a SIP Call-ID.
func channelID(s string) (complaint string) {
	switch {
	case len(s) > maxChannelID:
		return "is too long"
	case s == "." || s == "..":
		return "is a directory"
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && !strings.ContainsRune("-_.:@+", rune(c)) {
			return "has a character that no channel's should have"
		}
	}
	return ""
}
