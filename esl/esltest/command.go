package esltest

import (
	"fmt"
	"strings"
)

// maxReply is the longest text of a reply in bytes. FreeSWITCH cuts off the rest
// (mod_event_socket.c, listener_run: reply[512]).
const maxReply = 511

// command runs one command and returns the frame of its reply (mod_event_socket.c,
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

// rawCommand runs the commands whose reply is more than a Reply-Text line.
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

// connect returns all of the channel's data, in the one reply.
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

// background runs an API command and fires its reply as a BACKGROUND_JOB.
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

// authenticate checks the password. No other command is allowed before it.
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
