package esltest

import (
	"net"
	"slices"
	"strings"
	"time"
)

// deafness is the time in which the product cannot know what happens.
type deafness struct {
	asked bool // by Deafen
	is    bool // or because links are missing
}

// Deafen says, while on, that the product does not hear what happens: it is dead or
// stands still, or FreeSWITCH answers it late. A leg of which FreeSWITCH itself changes
// meanwhile who hears it is excused until Within after the end of that. Every other leg,
// and every command, is judged as ever.
func (s *Switch) Deafen(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told != nil {
		s.told.deaf.asked = on
		s.checkTold()
	}
}

// listen notes whether the product is deaf now. The caller holds the lock.
func (s *Switch) listen() {
	t := s.told
	deaf := t.deaf.asked || s.links() < t.Links
	if deaf == t.deaf.is {
		return
	}
	t.deaf.is = deaf
	for _, l := range t.legs {
		switch {
		case deaf:
			l.unheard = t.recent(l.stirred)
		case l.unheard:
			l.unheard, l.stirred = false, time.Now()
		}
		for rule, u := range l.since {
			u.since = time.Now()
			l.since[rule] = u
		}
	}
}

// Weighed says how many times a command let the voice of a leg into a file, and what the
// leg was told counted at once, or was excused.
type Weighed struct{ Judged, Excused int }

// Weighed returns what CheckTold has judged.
func (s *Switch) Weighed() Weighed {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told == nil {
		return Weighed{}
	}
	return s.told.weighed
}

// weigh counts a command that has let the voice of a leg into a file.
func (t *told) weigh(l *toldLeg, written []string) {
	switch {
	case t.opens == "" || !slices.Contains(written, t.opens):
	case t.excused || t.stirred(l) || t.Several && l.teller != t.sender:
		t.weighed.Excused++
	default:
		t.weighed.Judged++
	}
}

// answersFor reports whether the controller whose command runs must know that the voice
// of a leg is written into one of these files.
func (t *told) answersFor(c *Channel, written []string) bool {
	return !t.Several || c.room == nil && slices.ContainsFunc(written, func(path string) bool { return t.writers[path] == t.sender })
}

// running judges what was before a command of the product, and notes whose it is.
func (s *Switch) running(l *listener, p packet) {
	t := s.told
	if t == nil {
		return
	}
	s.checkTold()
	t.sender, _, _ = net.SplitHostPort(l.conn.RemoteAddr().String())
	t.remember("command " + strings.TrimSpace(p.command+" "+p.get("execute-app-name")+" "+p.get("execute-app-arg")))
	words := strings.Fields(p.command)
	if len(words) < 4 {
		return
	}
	switch c := s.channels[words[2]]; {
	case words[1] == "uuid_setvar" && words[3] == "tapedeck_state" && c != nil && t.legs[c] != nil:
		t.legs[c].teller = t.sender
	case words[1] == "uuid_record" && len(words) > 4:
		t.writers[words[4]] = t.sender
		if words[3] == "start" || words[3] == "unmask" {
			t.opens = words[4]
		}
	}
}

// ran judges after a command.
func (s *Switch) ran() {
	if t := s.told; t != nil {
		s.checkTold()
		t.sender, t.opens = "", ""
	}
}
