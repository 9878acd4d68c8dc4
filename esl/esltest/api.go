package esltest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// api does an API command and returns its whole output. The switch's lock is
// held. What is not known gets FreeSWITCH's words for that.
func (s *Switch) api(name, args string) string {
	reply, intercept := s.intercepted(name, args)
	if !intercept {
		do, known := apiCommands[strings.ToLower(name)]
		if !known {
			return fmt.Sprintf("-ERR %s Command not found!\n", name)
		}
		reply = do(s, args)
	}
	if reply == "" {
		return "-ERR no reply\n"
	}
	return reply
}

var apiCommands map[string]func(s *Switch, args string) string

func init() { // not a literal: the commands use the map
	apiCommands = map[string]func(s *Switch, args string) string{
		"uuid_record":       (*Switch).apiRecord,
		"uuid_setvar":       (*Switch).apiSetvar,
		"uuid_setvar_multi": (*Switch).apiSetvarMulti,
		"uuid_getvar":       (*Switch).apiGetvar,
		"uuid_exists":       (*Switch).apiExists,
		"uuid_dump":         (*Switch).apiDump,
		"uuid_buglist":      (*Switch).apiBuglist,
		"uuid_kill":         (*Switch).apiKill,
		"uuid_answer":       (*Switch).apiAnswer,
		"uuid_displace":     (*Switch).apiDisplace,
		"uuid_broadcast":    (*Switch).apiBroadcast,
		"show":              (*Switch).apiShow,
		"global_getvar":     (*Switch).apiGlobal,
		"status":            (*Switch).apiStatus,
		"version":           (*Switch).apiVersion,
		"hostname":          func(s *Switch, _ string) string { return s.options.Name },
		"switchname":        func(s *Switch, _ string) string { return s.options.Name },
		"create_uuid":       func(*Switch, string) string { return newUUID() },
		"reloadxml":         func(*Switch, string) string { return "+OK [Success]\n" },
	}
}

// apiRecord is mod_commands.c, session_record_function. The recording's
// variables are the fifth word: without a limit before them they are not seen.
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

func (s *Switch) apiSetvar(args string) string {
	a := separate(args, ' ', 3)
	if len(a) < 2 || a[0] == "" {
		return "-USAGE: <uuid> <var> [value]\n"
	}
	c := s.channels[a[0]]
	if c == nil {
		return "-ERR No such channel!\n"
	}
	if a[1] == "" {
		return "-ERR No variable specified\n"
	}
	c.vars.set(a[1], strings.Join(a[2:], ""))
	return "+OK\n"
}

func (s *Switch) apiSetvarMulti(args string) string {
	const usage = "-USAGE: <uuid> <var>=<value>;<var>=<value>...\n"
	uuid, list, found := strings.Cut(args, " ")
	if !found && args != "" {
		return "" // the usage is not reached (mod_commands.c, goto done)
	}
	if !found {
		return usage
	}
	c := s.channels[uuid]
	if c == nil {
		return "-ERR No such channel!\n" + usage
	}
	reply, set := "", 0
	for _, part := range separate(list, ';', 64) {
		name, value, _ := strings.Cut(part, "=")
		if name == "" {
			reply += "-ERR No variable specified\n"
			continue
		}
		c.vars.setChecked(name, value)
		set++
	}
	if set > 0 {
		return reply + "+OK\n"
	}
	return reply + usage
}

func (s *Switch) apiGetvar(args string) string {
	a := separate(args, ' ', 4)
	if len(a) < 2 || a[0] == "" {
		return "-USAGE: <uuid> <var>\n"
	}
	c := s.channels[a[0]]
	if c == nil {
		return "-ERR No such channel!\n"
	}
	value, ok := c.lookup(a[1])
	if !ok {
		return "_undef_"
	}
	return value
}

func (s *Switch) apiExists(args string) string {
	return fmt.Sprint(s.channels[args] != nil)
}

// apiDump writes the channel's data; the default format is percent-encoded,
// `plain` is not (mod_commands.c, uuid_dump_function).
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

// json is the event as FreeSWITCH writes it: a value of several is an array
// (switch_event.c, switch_event_serialize_json_obj). Every leg that went through
// a dialplan has one.
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

// nextBug is the place of a new media bug in the channel's list.
func (c *Channel) nextBug() int {
	c.bugs++
	return c.bugs
}

// mediaBugs are the channel's recordings and displacements, function and target,
// in the order in which they were started. A mask is not seen.
func (c *Channel) mediaBugs() []header {
	byOrder := map[int]header{}
	for _, r := range c.recordings {
		byOrder[r.order] = header{"session_record", r.path}
	}
	for _, d := range c.displaced {
		byOrder[d.order] = header{"displace", d.path}
	}
	var bugs []header
	for _, order := range slices.Sorted(maps.Keys(byOrder)) {
		bugs = append(bugs, byOrder[order])
	}
	return bugs
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

// apiBroadcast runs `app::args`; a sound file is only answered.
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

func (s *Switch) apiGlobal(args string) string {
	globals := map[string]string{
		"core_uuid": s.core, "hostname": s.options.Name, "switchname": s.options.Name, "local_ip_v4": "127.0.0.1",
	}
	if args != "" {
		return globals[args]
	}
	var b strings.Builder
	for _, name := range []string{"hostname", "local_ip_v4", "switchname", "core_uuid"} {
		fmt.Fprintf(&b, "%s=%s\n", name, globals[name])
	}
	return b.String()
}

const release = "1.10.12-release"

func (s *Switch) apiStatus(string) string {
	return fmt.Sprintf("UP 0 years, 0 days, 0 hours, 0 minutes, 1 second, 0 milliseconds, 0 microseconds\n"+
		"FreeSWITCH (Version %s  64bit) is ready\n%d session(s) since startup\n%d session(s) - peak %d, last 5min %d \n"+
		"0 session(s) per Sec out of max 1000, peak 0, last 5min 0 \n5000 session(s) max\nmin idle cpu 0.00/100.00\n"+
		"Current Stack Size/Max 240K/8192K\n",
		release, s.sessions, len(s.order), len(s.order), len(s.order))
}

func (s *Switch) apiVersion(args string) string {
	if strings.Contains(args, "short") {
		return release + "\n"
	}
	return "FreeSWITCH Version " + release + "~64bit (-release 64bit)\n"
}
