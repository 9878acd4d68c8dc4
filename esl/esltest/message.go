package esltest

import (
	"fmt"
	"strings"
)

// sendmsg runs a message on a channel: the one that is named, or on an outbound
// socket its own.
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
	if c.eavesdrops != nil { // it takes them when it listens no more
		c.unread = append(c.unread, p)
	} else {
		c.privateEvent(p)
	}
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

// sendevent fires an event with the command's headers.
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
