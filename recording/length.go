package recording

import "fmt"

// Length returns a length in milliseconds as people read it, to the second: 0:07,
// 12:40, 1:02:03.
func Length(ms int64) string { return Clock((max(ms, 0) + 500) / 1000) }

// Clock returns what a clock shows after so many seconds.
func Clock(s int64) string {
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// PausedLength returns how long a file is silent in all, from milliseconds. It
// returns "" if that is not at all, or only the moment until it was known who
// answered.
func PausedLength(ms int64) string {
	switch {
	case ms < 100:
		return ""
	case ms < 1000:
		return "<0:01"
	}
	return Length(ms)
}
