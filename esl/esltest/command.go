package esltest

import (
	"fmt"
	"strings"
)

// maxReply is the room FreeSWITCH has for a reply's text; more is cut off
// (mod_event_socket.c, listener_run: reply[512]).
const maxReply = 511

// command does one command and makes its whole reply (mod_event_socket.c,
// parse_command). The switch's lock is held.
func (l *listener) command(p packet) []byte {
	if raw, done := l.rawCommand(p); done {
		return raw
	}
	text := l.textCommand(p)
	if text == "" {
		text = "-ERR command not found"
	}
	if len(text) > maxReply {
		text = text[:maxReply]
	}
	return []byte("Content-Type: command/reply\nReply-Text: " + text + "\n\n")
}

// rawCommand does the commands whose reply is no Reply-Text line.
func (l *listener) rawCommand(p packet) (raw []byte, done bool) {
	verb, rest := cutWord(p.command)
	switch {
	case !l.authed:
		return nil, false
	case l.channel != nil && hasPrefixFold(p.command, "connect"):
		return l.connect(), true
	case strings.EqualFold(verb, "api") && rest != "":
		name, args := cutWord(rest)
		reply := l.sw.api(name, args)
		return fmt.Appendf(nil, "Content-Type: api/response\nContent-Length: %d\n\n%s", len(reply), reply), true
	case strings.EqualFold(verb, "bgapi") && rest != "":
		return l.background(p, rest), true
	}
	return nil, false
}

// connect is the channel's data: all of it, in the one reply.
func (l *listener) connect() []byte {
	e := l.sw.newEvent("CHANNEL_DATA")
	l.channel.profile.write(e, "Channel")
	l.channel.describe(e)
	e.add("Content-Type", "command/reply")
	e.add("Reply-Text", "+OK\n")
	e.add("Socket-Mode", "static")
	e.add("Control", "full")
	return e.plain()
}

// background does an API command and tells its reply in a BACKGROUND_JOB.
func (l *listener) background(p packet, rest string) []byte {
	job := p.get("Job-UUID")
	if job == "" {
		job = newUUID()
	}
	name, args := cutWord(rest)
	reply := l.sw.api(name, args)
	e := l.sw.newEvent("BACKGROUND_JOB")
	e.add("Job-UUID", job)
	if l.channel != nil {
		e.add("Job-Owner-UUID", l.channel.uuid)
	}
	e.add("Job-Command", name)
	e.addIf("Job-Command-Arg", args)
	e.body = reply
	l.sw.fire(e)
	return fmt.Appendf(nil, "Content-Type: command/reply\nReply-Text: +OK Job-UUID: %s\nJob-UUID: %s\n\n", job, job)
}

func (l *listener) textCommand(p packet) string {
	c := p.command
	if hasPrefixFold(c, "exit") || strings.HasPrefix(c, "...") {
		l.leave = true
		return "+OK bye"
	}
	if !l.authed {
		return l.authenticate(c)
	}
	switch _, rest := cutWord(c); {
	case hasPrefixFold(c, "filter "):
		return l.filter(rest)
	case l.channel != nil && hasPrefixFold(c, "getvar"):
		value, _ := l.channel.lookup(rest)
		return value
	case hasPrefixFold(c, "myevents") && (l.channel != nil || rest != ""):
		return l.subscribeMine(rest)
	case hasPrefixFold(c, "sendmsg"):
		return l.sendmsg(p, strings.TrimSpace(c[len("sendmsg"):]))
	case hasPrefixFold(c, "sendevent"):
		return l.sendevent(p, strings.TrimSpace(c[len("sendevent"):]))
	case hasPrefixFold(c, "linger"):
		return l.startLinger(rest)
	case hasPrefixFold(c, "nolinger"):
		return l.stopLinger()
	case hasPrefixFold(c, "event"):
		return l.subscribe(rest)
	case hasPrefixFold(c, "nixevent"):
		return l.unsubscribe(rest)
	case hasPrefixFold(c, "noevents"):
		return l.unsubscribeAll()
	case hasPrefixFold(c, "log"):
		return "+OK log level " + rest + " [7]"
	case hasPrefixFold(c, "nolog"):
		return "-ERR not loging"
	}
	return ""
}

// authenticate takes the password, the only command before it.
func (l *listener) authenticate(c string) string {
	password, is := strings.CutPrefix(c, "auth ")
	if !is {
		return "" // "command not found"; the connection stays
	}
	if password != l.sw.options.Password || l.sw.faults.denyAuth {
		l.leave = true
		return "-ERR invalid"
	}
	l.authed = true
	return "+OK accepted"
}

func (l *listener) filter(rest string) string {
	name, value := cutWord(strings.TrimLeft(rest, " "))
	if strings.EqualFold(name, "delete") && value != "" {
		name, value = cutWord(value)
		l.deleteFilter(name, value)
		return fmt.Sprintf("+OK filter deleted. [%s][%s]", name, value)
	}
	if value == "" {
		return "-ERR invalid syntax"
	}
	if strings.EqualFold(name, "add") {
		name, value = cutWord(value)
	}
	l.filters = append(l.filters, header{name, value})
	return fmt.Sprintf("+OK filter added. [%s]=[%s]", name, value)
}

func (l *listener) deleteFilter(name, value string) {
	kept := l.filters[:0]
	for _, f := range l.filters {
		all := strings.EqualFold(name, "all")
		if !all && (!strings.EqualFold(f.name, name) || (value != "" && f.value != value)) {
			kept = append(kept, f)
		}
	}
	l.filters = kept
}

// subscribeMine is `myevents` on an outbound socket, `myevents <uuid>` on an
// inbound connection, where a channel that is not there is no error.
func (l *listener) subscribeMine(rest string) string {
	if l.myEvents != "" {
		return "-ERR aready enabled."
	}
	l.myEvents = rest
	if l.channel != nil {
		l.myEvents = l.channel.uuid
	}
	for _, n := range []string{
		"CHANNEL_ANSWER", "CHANNEL_APPLICATION", "CHANNEL_BRIDGE", "CHANNEL_CREATE", "CHANNEL_DATA", "CHANNEL_DESTROY",
		"CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_ORIGINATE",
		"CHANNEL_UUID", "CHANNEL_OUTGOING", "CHANNEL_PARK", "CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA", "CHANNEL_STATE",
		"CHANNEL_UNBRIDGE", "CHANNEL_UNPARK", "DETECTED_SPEECH", "DTMF", "NOTALK", "TALK",
	} {
		l.names[n] = true
	}
	l.listen()
	return "+OK Events Enabled"
}

// subscribe is `event plain NAME ... CUSTOM subclass ...`.
func (l *listener) subscribe(rest string) string {
	words, custom, known := strings.Fields(rest), false, 0
	if len(words) > 0 && (strings.EqualFold(words[0], "json") || strings.EqualFold(words[0], "xml")) {
		return "-ERR esltest speaks only event plain"
	}
	for _, w := range words {
		name := strings.ToUpper(w)
		switch {
		case custom:
			l.custom[w] = true
		case eventNames[name]:
			known++
			l.names[name] = true
			l.all = l.all || name == "ALL"
			custom = name == "CUSTOM"
		}
	}
	if known == 0 {
		return "-ERR no keywords supplied"
	}
	l.listen()
	return "+OK event listener enabled plain"
}

func (l *listener) unsubscribe(rest string) string {
	custom, known := false, 0
	for _, w := range strings.Fields(rest) {
		name := strings.ToUpper(w)
		switch {
		case custom:
			delete(l.custom, w)
		case !eventNames[name]:
		case name == "CUSTOM":
			known++
			custom = true
		case name == "ALL":
			known++
			l.all, l.names = false, map[string]bool{}
		default:
			known++
			l.unsubscribeOne(name)
		}
	}
	if known == 0 {
		return "-ERR no keywords supplied"
	}
	return "+OK events nixed"
}

func (l *listener) unsubscribeOne(name string) {
	if l.all {
		l.all = false
		for n := range eventNames {
			l.names[n] = n != "ALL"
		}
	}
	delete(l.names, name)
}

func (l *listener) unsubscribeAll() string {
	l.mu.Lock()
	l.queue = nil
	l.mu.Unlock()
	if !l.events {
		return "-ERR not listening for events"
	}
	l.events, l.all, l.names, l.custom = false, false, map[string]bool{}, map[string]bool{}
	return "+OK no longer listening for events"
}

// sendmsg does something to a channel: its own on an outbound socket, or the
// one named.
func (l *listener) sendmsg(p packet, uuid string) string {
	c := l.channel
	if uuid == "" {
		uuid = p.get("session-id")
	}
	if uuid != "" && (c == nil || uuid != c.uuid) {
		c = l.sw.channels[uuid]
	}
	if c == nil {
		return fmt.Sprintf("-ERR invalid session id [%s]", uuid)
	}
	c.privateEvent(p)
	return "+OK"
}

// privateEvent is switch_ivr.c, switch_ivr_parse_event.
func (c *Channel) privateEvent(p packet) {
	if c.down {
		return
	}
	switch p.get("call-command") {
	case "execute":
		app, args := p.get("execute-app-name"), p.get("execute-app-arg")
		if args == "" && strings.EqualFold(p.get("content-type"), "text/plain") {
			args = p.body
		}
		if app == "" {
			return
		}
		if err := c.execute(app, args); err != nil {
			c.sw.log.Error("esltest: execute failed", "application", app, "error", err)
		}
	case "hangup":
		c.hangup(p.get("hangup-cause"))
	}
}

// sendevent fires an event made of the command's headers.
func (l *listener) sendevent(p packet, name string) string {
	uuid := newUUID()
	name = strings.ToUpper(name)
	if !eventNames[name] {
		name = "CLONE"
	}
	e := &event{name: name}
	if name == "CUSTOM" {
		e.subclass = p.get("Event-Subclass")
	}
	e.add("Command", "sendevent "+name)
	e.headers = append(e.headers, p.headers...)
	e.add("Event-UUID", uuid)
	e.headers = append(e.headers, l.sw.newEvent(name).headers...)
	e.body = p.body
	l.sw.fire(e)
	return "+OK " + uuid
}

func (l *listener) startLinger(rest string) string {
	if l.channel == nil {
		return "-ERR not controlling a session"
	}
	l.linger, l.lingerS = true, -1
	if rest == "" {
		return "+OK will linger"
	}
	l.lingerS = atoi(rest)
	return fmt.Sprintf("+OK will linger %d seconds", l.lingerS)
}

func (l *listener) stopLinger() string {
	if l.channel == nil {
		return "-ERR not controlling a session"
	}
	l.linger = false
	return "+OK will not linger"
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
