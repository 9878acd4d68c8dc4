package esltest

import (
	"fmt"
	"regexp"
	"strings"
)

// listen starts the pump with the first subscription. The switch's lock is held.
func (l *listener) listen() {
	l.events = true
	if !l.pumping && !l.sw.closed {
		l.pumping = true
		l.sw.wg.Go(l.pump)
	}
}

func (l *listener) subscribed(name, subclass string) bool {
	if !l.events {
		return false
	}
	if l.all {
		return true
	}
	return l.names[name] && (subclass == "" || name != "CUSTOM" || l.custom[subclass])
}

// wantsEvent is mod_event_socket.c, event_handler.
func (l *listener) wantsEvent(e *event) bool {
	if !l.subscribed(e.name, e.subclass) || !l.passesFilters(e) {
		return false
	}
	if l.myEvents != "" {
		uuid, _ := e.get("Unique-ID")
		owner, _ := e.get("Job-Owner-UUID")
		return uuid == l.myEvents || owner == l.myEvents
	}
	return true
}

func (l *listener) passesFilters(e *event) bool {
	if len(l.filters) == 0 {
		return true
	}
	pass := false
	for _, f := range l.filters {
		value, ok := e.get(f.name)
		if !ok {
			continue
		}
		want := strings.TrimLeft(f.value, "+- ")
		if !filterMatches(want, value) {
			continue
		}
		if strings.HasPrefix(f.value, "-") {
			return false
		}
		pass = true
	}
	return pass
}

func filterMatches(want, value string) bool {
	if expression, is := strings.CutPrefix(want, "/"); is {
		matched, err := regexp.MatchString(strings.TrimSuffix(expression, "/"), value)
		return err == nil && matched
	}
	return strings.EqualFold(want, value)
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

// subscribeMine is `myevents` on an outbound socket, and `myevents <uuid>` on an
// inbound connection. There it is no error if the channel does not exist.
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
