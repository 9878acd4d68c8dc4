package esltest

import (
	"strings"
	"time"
)

// apiRecord is mod_commands.c, session_record_function. The recording's variables
// are the fifth word: FreeSWITCH ignores them if there is no limit before them.
func (s *Switch) apiRecord(args string) string {
	const usage = "-USAGE: <uuid> [start|stop|mask|unmask] <path> [<limit>] [<recording_vars>]\n"
	a := separate(args, ' ', 5)
	if len(a) < 3 || a[0] == "" || a[1] == "" || a[2] == "" {
		return usage
	}
	c, path := s.channels[a[0]], a[2]
	if c == nil {
		return "-ERR Cannot locate session!\n"
	}
	ok, what := false, ""
	switch strings.ToLower(a[1]) {
	case "start":
		ok, what = c.startRecording(path, a[3:]) == nil, "record"
	case "stop":
		ok, what = c.stopRecording(path), "stop record"
	case "mask":
		ok, what = c.maskRecording(path, true), "mask recording"
	case "unmask":
		ok, what = c.maskRecording(path, false), "unmask recording"
	default:
		return usage
	}
	if !ok {
		return "-ERR Cannot " + what + " session!\n"
	}
	return "+OK Success\n"
}

func (c *Channel) startRecording(path string, rest []string) error {
	var limit time.Duration
	var vars []header
	if len(rest) > 0 {
		limit = time.Duration(max(0, atoi(rest[0]))) * time.Second
	}
	if len(rest) > 1 {
		vars = brackets(rest[1])
	}
	return c.record(path, limit, vars)
}
