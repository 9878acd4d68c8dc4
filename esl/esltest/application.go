package esltest

import (
	"fmt"
	"strings"
	"time"
)

// application runs a dialplan application. Its arguments are expanded.
type application func(c *Channel, args string) error

// applications are those that are simulated. Any other fails.
var applications map[string]application

func init() { // because execute uses the map
	applications = map[string]application{
		"answer":                 (*Channel).appAnswer,
		"pre_answer":             func(c *Channel, _ string) error { c.preAnswer(); return nil },
		"set":                    (*Channel).appSet,
		"multiset":               (*Channel).appMultiset,
		"push":                   (*Channel).appPush,
		"execute_extension":      (*Channel).appExecuteExtension,
		"unset":                  func(c *Channel, args string) error { c.vars.set(args, ""); return nil },
		"export":                 (*Channel).appExport,
		"record_session":         (*Channel).appRecord,
		"record_session_mask":    func(c *Channel, args string) error { c.maskRecording(args, true); return nil },
		"record_session_unmask":  func(c *Channel, args string) error { c.maskRecording(args, false); return nil },
		"stop_record_session":    func(c *Channel, args string) error { c.stopRecording(args); return nil },
		"bind_digit_action":      (*Channel).bindDigitAction,
		"digit_action_set_realm": func(c *Channel, args string) error { c.setDigitRealm(args); return nil },
		"bind_meta_app":          (*Channel).bindMetaApp,
		"unbind_meta_app":        (*Channel).unbindMetaApp,
		"event":                  (*Channel).appEvent,
		"transfer":               func(*Channel, string) error { return nil }, // the caller's code is the dialplan
		"hangup":                 func(c *Channel, args string) error { c.hangup(args); return nil },
		"sleep":                  (*Channel).appSleep,
		"playback":               func(*Channel, string) error { return nil },
		"log":                    func(*Channel, string) error { return nil },
		"info":                   func(*Channel, string) error { return nil },
	}
}

// zombies are the applications that run even on a leg that has hung up
// (SAF_ZOMBIE_EXEC). All others are skipped there.
var zombies = map[string]bool{"set": true, "multiset": true, "unset": true, "push": true, "export": true, "event": true, "log": true, "info": true}

// execute runs an application (switch_core_session.c,
// switch_core_session_execute_application_get_flags and switch_core_session_exec).
// An application that FreeSWITCH does not know hangs the leg up. The switch's lock
// is held.
func (c *Channel) execute(name, args string) error {
	do, known := applications[strings.ToLower(name)]
	if c.down && !zombies[strings.ToLower(name)] {
		return nil
	}
	if !known {
		c.hangup("DESTINATION_OUT_OF_ORDER")
		return fmt.Errorf("esltest: execute: invalid application %s", name)
	}
	args = c.expand(args)
	id := newUUID()
	c.vars.set("current_application", name)
	c.vars.set("current_application_data", args)
	about := []header{{"Application", name}}
	if args != "" {
		about = append(about, header{"Application-Data", args})
	}
	about = append(about, header{"Application-UUID", id})
	c.fire("CHANNEL_EXECUTE", about...)
	var err error
	if _, intercept := c.sw.intercepted("app/"+strings.ToLower(name), args); !intercept {
		err = do(c, args)
	}
	c.fire("CHANNEL_EXECUTE_COMPLETE", append(about, header{"Application-Response", "_none_"})...)
	return err
}

// appAnswer answers an incoming leg. A dialled leg is answered by its phone.
func (c *Channel) appAnswer(string) error {
	if !c.outbound {
		c.markAnswered()
	}
	return nil
}

// appSet is `set name=value` (or `name,value`). An empty value unsets it.
func (c *Channel) appSet(args string) error {
	if args == "" {
		return fmt.Errorf("esltest: set: no variable name specified")
	}
	name, value, found := strings.Cut(args, "=")
	if !found {
		name, value, _ = strings.Cut(args, ",")
	}
	c.vars.set(name, value)
	return nil
}

// appMultiset is `multiset a=b c=d`, or `^^:a=b:c=d` with another delimiter.
func (c *Channel) appMultiset(args string) error {
	delim := byte(' ')
	if strings.HasPrefix(args, "^^") && len(args) > 2 {
		delim, args = args[2], args[3:]
	}
	for _, part := range separate(args, delim, 256) {
		if err := c.appSet(part); err != nil {
			return err
		}
	}
	return nil
}

// appPush is `push name=value`. One value is a plain variable, several are an array.
func (c *Channel) appPush(args string) error {
	name, value, _ := strings.Cut(args, "=")
	if name == "" {
		return fmt.Errorf("esltest: push: no variable name specified")
	}
	before, there := c.vars.get(name)
	switch {
	case there && strings.HasPrefix(before, "ARRAY::"):
		value = before + "|:" + value
	case there:
		value = "ARRAY::" + before + "|:" + value
	}
	c.vars.set(name, value)
	return nil
}

// appExecuteExtension is `execute_extension <applications> inline`, where the
// applications are `app:args`, separated by commas, or by another character x after
// `m:x:` (mod_dptools.c, inline_dialplan_hunt). There is no other dialplan here.
func (c *Channel) appExecuteExtension(args string) error {
	words := separate(args, ' ', 3)
	if len(words) < 2 || words[1] != "inline" {
		return fmt.Errorf("esltest: execute_extension: no extension: %s", args)
	}
	list, delim := words[0], byte(',')
	if strings.HasPrefix(list, "m:") && len(list) > 4 && list[3] == ':' {
		delim, list = list[2], list[4:]
	}
	for _, one := range separate(list, delim, 128) {
		app, data, _ := strings.Cut(one, ":")
		if err := c.execute(strings.TrimLeft(app, " "), data); err != nil {
			return err
		}
	}
	return nil
}

// appExport is `export name=value`: it sets the variable and adds it to the list of
// those that later legs get. A `nolocal:` stays part of the variable's name on this
// leg (switch_channel.c, switch_channel_export_variable_var_check).
func (c *Channel) appExport(args string) error {
	name, value, _ := strings.Cut(args, "=")
	if name == "" {
		return fmt.Errorf("esltest: export: no variable name specified")
	}
	c.vars.set(name, value)
	if value == "" {
		return nil
	}
	if list, ok := c.vars.get("export_vars"); ok {
		name = list + "," + name
	}
	c.vars.set("export_vars", name)
	return nil
}

// appRecord is `record_session <path> [+<limit>] [{a=b,c=d}]`.
func (c *Channel) appRecord(args string) error {
	a := separate(args, ' ', 5)
	if len(a) == 0 {
		return nil
	}
	var limit time.Duration
	var vars []header
	if len(a) > 1 && strings.HasPrefix(a[1], "+") {
		limit = time.Duration(atoi(a[1][1:])) * time.Second
		a = append(a[:1], a[2:]...)
	}
	if len(a) > 1 {
		vars = brackets(a[1])
	}
	return c.record(a[0], limit, vars)
}

// appEvent is `event Name=Value,...`: an event about this channel.
func (c *Channel) appEvent(args string) error {
	name, subclass := "CHANNEL_APPLICATION", ""
	var extra []header
	for _, part := range separate(args, ',', 25) {
		key, value, found := strings.Cut(part, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case !found:
			continue
		case strings.EqualFold(key, "Event-Name"):
			name = value
			continue
		case strings.EqualFold(key, "Event-Subclass"):
			subclass = value
			continue
		}
		extra = append(extra, header{key, value})
	}
	e := c.sw.newEvent(name)
	e.subclass = subclass
	if subclass != "" { // it comes first, and the name last
		e.headers[0] = header{"Event-Subclass", subclass}
		e.add("Event-Name", name)
	}
	e.headers = append(e.headers, extra...)
	c.describe(e)
	c.sw.fire(e)
	return nil
}

// appSleep waits without the switch's lock.
func (c *Channel) appSleep(args string) error {
	c.sw.mu.Unlock()
	defer c.sw.mu.Lock()
	c.sw.pass(time.Duration(atoi(args)) * time.Millisecond)
	return nil
}
