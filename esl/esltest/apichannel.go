package esltest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

func (s *Switch) apiExists(args string) string {
	return fmt.Sprint(s.channels[args] != nil)
}

// apiDump writes the channel's data. The default format is percent-encoded, `plain`
// is not (mod_commands.c, uuid_dump_function).
func (s *Switch) apiDump(args string) string {
	a := separate(args, ' ', 2)
	if len(a) == 0 || a[0] == "" {
		return "-USAGE: <uuid> [format]\n"
	}
	c := s.channels[a[0]]
	if c == nil {
		return "-ERR No such channel!\n"
	}
	e := s.newEvent("CHANNEL_DATA")
	c.describe(e)
	switch format := append(a, "txt")[1]; {
	case strings.EqualFold(format, "json"):
		return e.json()
	case strings.EqualFold(format, "plain"):
		return e.bracketed()
	}
	return string(e.plain())
}

// json is the event as FreeSWITCH writes it in JSON. A header with several values
// is an array (switch_event.c, switch_event_serialize_json_obj); every leg that
// went through a dialplan has one.
func (e *event) json() string {
	object := map[string]any{}
	for _, h := range e.headers {
		object[h.name] = h.value
		if values, several := strings.CutPrefix(h.value, "ARRAY::"); several {
			object[h.name] = strings.Split(values, "|:")
		}
	}
	b, err := json.Marshal(object)
	if err != nil { // strings always marshal
		panic(err)
	}
	return string(b)
}

func (s *Switch) apiKill(args string) string {
	if args == "" {
		return "-USAGE: <uuid> [cause]\n"
	}
	uuid, cause := cutWord(args)
	c := s.channels[uuid]
	if c == nil {
		return "-ERR No such channel!\n"
	}
	c.hangup(cause)
	return "+OK\n"
}

func (s *Switch) apiAnswer(args string) string {
	c := s.channels[args]
	if c == nil {
		return "-ERROR\n"
	}
	c.markAnswered()
	return "+OK\n"
}

// apiBroadcast runs `app::args`. For a sound file it only replies.
func (s *Switch) apiBroadcast(args string) string {
	a := separate(args, ' ', 4)
	if len(a) < 2 {
		return "-USAGE: <uuid> <path> [aleg|bleg|holdb|both]\n"
	}
	c := s.channels[a[0]]
	if c == nil {
		return "-ERR invalid uuid\n"
	}
	if app, appArgs, is := strings.Cut(a[1], "::"); is {
		if err := c.execute(app, appArgs); err != nil {
			s.log.Error("esltest: uuid_broadcast failed", "error", err)
		}
	}
	return "+OK Message sent\n"
}

func (s *Switch) apiBuglist(args string) string {
	a := separate(args, ' ', 2)
	if len(a) == 0 {
		return "-USAGE: <uuid>\n"
	}
	c := s.channels[a[0]]
	if c == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString("<media-bugs>\n")
	for _, bug := range c.mediaBugs() {
		fmt.Fprintf(&b, " <media-bug>\n  <function>%s</function>\n  <target>%s</target>\n"+
			"  <thread-locked>0</thread-locked>\n </media-bug>\n", bug.name, bug.value)
	}
	return b.String() + "</media-bugs>\n"
}

// mediaBugs are the channel's recordings, displacements and eavesdroppers, each with its function
// and target, in the order in which they were started. A mask is not visible here.
func (c *Channel) mediaBugs() []header {
	byOrder := map[int]header{}
	for _, r := range c.recordings {
		byOrder[r.order] = header{"session_record", r.path}
	}
	for _, d := range c.displaced {
		byOrder[d.order] = header{"displace", d.path}
	}
	for _, other := range c.sw.order {
		if other.eavesdrops == c {
			byOrder[other.listensBy] = c.eavesdropBug()
		}
	}
	var bugs []header
	for _, order := range slices.Sorted(maps.Keys(byOrder)) {
		bugs = append(bugs, byOrder[order])
	}
	return bugs
}

// nextBug returns the place of a new media bug in the channel's list.
func (c *Channel) nextBug() int {
	c.bugs++
	return c.bugs
}
