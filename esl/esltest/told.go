package esltest

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Told says how CheckTold judges what the legs are told.
type Told struct {
	// Ignore says which recordings are not the product's to tell of; nil: none.
	Ignore func(path string) bool

	// Foreign says that a recording is none of the organisation to which a leg belongs,
	// by the leg's variables: a prompt on the leg says nothing of it. nil: none is.
	Foreign func(variable func(name string) string, path string) bool

	// Within is how long what a leg is told may be untrue, in real time, when
	// FreeSWITCH itself has changed who hears it, or the prompt after a start or a
	// resume is still to come. 0: until Untold is called.
	Within time.Duration

	// Stall is how long this machine stood still in a period: so much is added to
	// Within. nil: never.
	Stall func(from, to time.Time) time.Duration

	// Links is how many links the product has when it hears of everything. While there
	// are fewer, it is deaf (Deafen). 0: it is not deaf, however many there are.
	Links int

	// Several says that the product is several controllers, each with an IP address of
	// its own, and what one does the others need not know. Then only that is judged which
	// one of them must know to be untrue: that it lets the voice of a leg into a file, or
	// plays "Recorded" to it, although it was itself the last to tell that leg something
	// else, and the last to give a command for that file. Legs in a room are left out.
	Several bool
}

// told checks, after every event and every command, what each leg is told of the
// recordings that hear it (docs/design.md, section 12, rule 13). The switch's lock
// guards it.
type told struct {
	Told
	legs     map[*Channel]*toldLeg
	sender   string // the IP address whose command runs; "": none runs
	opens    string // the file into which it lets voices; "": it lets none
	excused  bool   // what is untrue now is nobody's fault
	deaf     deafness
	writers  map[string]string // by recording: who gave the last command for it
	weighed  Weighed
	history  []string
	untruths []string
}

// toldLeg is what is known of one leg.
type toldLeg struct {
	hears   []string            // the legs that hear it, and their recordings, masked or not
	stirred time.Time           // when FreeSWITCH itself last changed that; zero: not since the product was at rest
	unheard bool                // the product is deaf, and cannot know of it
	teller  string              // who last set tapedeck_state
	off     bool                // the last prompt that began on the leg says that nothing is recorded
	since   map[string]untruth  // by the rule that is broken now
	known   map[string]struct{} // rules whose break was reported, until it ends
}

type untruth struct {
	text  string
	since time.Time
}

// The two rules.
const (
	stateRule  = "tapedeck_state"
	promptRule = "prompt"
)

// The prompts by which a user is told how the recording stands. Every other one leaves
// open what the one before it said.
const (
	promptOff = "recorded.wav" // paused, or not recorded
	promptOn  = "is-being-recorded.wav"
)

// historyLength is how many events and commands a report shows.
const historyLength = 40

// WrittenTo are the files into which the voice of leg c can be written now: those of the
// recordings, except the masked ones, of all legs that hear it.
func (c *Channel) WrittenTo() []string {
	c.sw.mu.Lock()
	defer c.sw.mu.Unlock()
	_, written := (&told{}).heardBy(c)
	return written
}

// CheckTold lets the switch check from now on, after every event and every command:
//
//   - If a leg's voice can be written into a file now, its tapedeck_state is "on". A
//     command that writes voices, or changes the variable, is judged when it has run.
//   - While a leg that was told "Recorded" by a prompt is told nothing else, its voice is
//     written nowhere. The beginning of that prompt is judged at once.
//
// Where FreeSWITCH itself changes who hears a leg (an answer, a bridge, a room), and
// between a start or a resume and its prompt, o.Within counts.
func (s *Switch) CheckTold(o Told) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = &told{Told: o, legs: map[*Channel]*toldLeg{}, writers: map[string]string{}}
}

// Untold returns what legs are told now and is untrue, and what was untrue too long
// before. It counts as rest: from now on nothing that was changed before is excused.
func (s *Switch) Untold() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.told
	if t == nil {
		return nil
	}
	s.checkTold()
	all := slices.Clone(t.untruths)
	for _, c := range s.order {
		l := t.legs[c]
		l.stirred = time.Time{}
		if t.Several {
			continue
		}
		for _, rule := range []string{stateRule, promptRule} {
			if u, broken := l.since[rule]; broken && !t.excused {
				all = append(all, t.report(u.text))
			}
		}
	}
	return all
}

// TellsUntruth reports whether what a leg is told now is untrue. Unlike Untold it excuses
// nothing less afterwards: with it a test can wait for the rest.
func (s *Switch) TellsUntruth() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.told
	if t == nil || t.Several || t.excused {
		return false
	}
	s.checkTold()
	return slices.ContainsFunc(s.order, func(c *Channel) bool { return len(t.legs[c].since) > 0 })
}

// Misled returns what legs were told that was untrue and not excused.
func (s *Switch) Misled() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told == nil {
		return nil
	}
	return slices.Clone(s.told.untruths)
}

// ExcuseTold excuses, while on, what legs are told: nobody is there who could tell them.
// When that ends, the product gets the time Within anew.
func (s *Switch) ExcuseTold(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.told; t != nil {
		s.checkTold()
		t.excused = on
		for _, l := range t.legs {
			l.stirred = time.Now()
			clear(l.since)
		}
	}
}

// checkTold judges what every leg is told now. The caller holds the lock.
func (s *Switch) checkTold() {
	t := s.told
	if t == nil {
		return
	}
	for c := range t.legs {
		if c.down {
			delete(t.legs, c)
		}
	}
	s.listen()
	for _, c := range s.order {
		l := t.legs[c]
		if l == nil {
			l = &toldLeg{since: map[string]untruth{}, known: map[string]struct{}{}}
			t.legs[c] = l
		}
		hears, written := t.heardBy(c)
		if !slices.Equal(hears, l.hears) {
			l.hears = hears
			if t.sender == "" {
				l.stirred, l.unheard = time.Now(), t.deaf.is
			}
		}
		t.weigh(l, written)
		state, _ := c.vars.get("tapedeck_state")
		t.judge(l, stateRule, len(written) > 0 && state != "on", t.answersFor(c, written) && (!t.Several || l.teller == t.sender),
			"tapedeck_state of leg %s is %q, and its voice is written into %q", c.uuid, state, written)
		written = t.own(c, written)
		t.judge(l, promptRule, len(written) > 0 && l.off, false,
			"leg %s was told %q last, and its voice is written into %q", c.uuid, promptOff, written)
	}
}

// judge notes whether a leg is told something untrue. If atOnce, a command must not
// make it so.
func (t *told) judge(l *toldLeg, rule string, broken, atOnce bool, format string, args ...any) {
	if !broken {
		delete(l.since, rule)
		delete(l.known, rule)
		return
	}
	u, before := l.since[rule]
	if !before {
		u.since = time.Now()
	}
	u.text = fmt.Sprintf(format, args...)
	l.since[rule] = u
	late := t.Within > 0 && !t.Several && !t.deaf.is && !t.recent(u.since)
	if _, reported := l.known[rule]; reported || t.excused || !late && (before || !atOnce || t.sender == "" || t.stirred(l)) {
		return
	}
	l.known[rule] = struct{}{}
	t.untruths = append(t.untruths, t.report(u.text))
}

// stirred reports whether FreeSWITCH itself changed who hears the leg, and the product
// need not know of it yet.
func (t *told) stirred(l *toldLeg) bool { return l.unheard || t.recent(l.stirred) }

// recent reports whether a time is within the time that the product has. The zero time is
// not.
func (t *told) recent(at time.Time) bool {
	if at.IsZero() || t.Within == 0 {
		return !at.IsZero()
	}
	now := time.Now()
	past := now.Sub(at)
	return past < t.Within || t.Stall != nil && past < t.Within+t.Stall(at, now)
}

func (t *told) report(text string) string {
	return text + "\n\t" + strings.Join(t.history, "\n\t")
}

// heardBy are the legs that hear a leg, and their recordings, and of these the ones that
// write it down.
func (t *told) heardBy(c *Channel) (hears, written []string) {
	talk, listening := c.near()
	for i, near := range append(talk, listening...) {
		hears = append(hears, near.uuid)
		for _, r := range near.recordings {
			if t.Ignore != nil && t.Ignore(r.path) || i >= len(talk) && t.foreign(c, r.path) {
				continue
			}
			hears = append(hears, r.path)
			if !r.masked {
				written = append(written, r.path)
			}
		}
	}
	return hears, written
}

// foreign reports whether a recording is of another organisation than the leg.
func (t *told) foreign(c *Channel, path string) bool {
	return t.Foreign != nil && t.Foreign(func(name string) string { value, _ := c.vars.get(name); return value }, path)
}

// own are those of the recordings that may be of the leg's organisation.
func (t *told) own(c *Channel, paths []string) []string {
	return slices.DeleteFunc(paths, func(path string) bool { return t.foreign(c, path) })
}

// near are the legs that hear leg c: in its talk itself, the leg that it talks to and all
// in its room; and by listening those in whose talk it listens, and those that listen to
// its talk.
func (c *Channel) near() (talk, listening []*Channel) {
	talk = []*Channel{c}
	if c.partner != nil {
		talk = append(talk, c.partner)
	}
	if c.room != nil {
		talk = append(talk, slices.DeleteFunc(slices.Clone(c.room.members), func(m *Channel) bool { return m == c })...)
	}
	if target := c.eavesdrops; target != nil {
		listening = append(listening, target)
		if target.partner != nil {
			listening = append(listening, target.partner)
		}
	}
	for _, other := range c.sw.order {
		if other.eavesdrops != nil && (other.eavesdrops == c || other.eavesdrops == c.partner) {
			listening = append(listening, other)
		}
	}
	return talk, listening
}

// toldBy notes that a prompt begins on the leg.
func (c *Channel) toldBy(path string) {
	t := c.sw.told
	if t == nil {
		return
	}
	c.sw.checkTold()
	l := t.legs[c]
	if l == nil {
		return
	}
	switch filepath.Base(path) {
	case promptOff:
		l.off = true
		delete(l.since, promptRule)
		_, written := t.heardBy(c)
		written = t.own(c, written)
		t.judge(l, promptRule, len(written) > 0, t.answersFor(c, written), "leg %s is told %q, and its voice is written into %q", c.uuid, promptOff, written)
	case promptOn:
		l.off = false
	}
}

// toldNothing notes that a command with which the product tells a leg something was not
// run.
func (s *Switch) toldNothing(command, args string) {
	if t := s.told; t != nil && command == "uuid_displace" {
		uuid, _, _ := strings.Cut(args, " ")
		if c := s.channels[uuid]; c != nil && t.legs[c] != nil {
			t.legs[c].off = false
		}
	}
}

// remember notes what happened, for a report.
func (t *told) remember(what string) {
	if len(t.history) >= historyLength {
		t.history = slices.Delete(t.history, 0, 1)
	}
	t.history = append(t.history, what)
}

// firing judges after an event.
func (s *Switch) firing(e *event) {
	if s.told == nil {
		return
	}
	text := "event " + e.name
	for _, name := range []string{"Event-Subclass", "Unique-ID", "Action", "Bridge-B-Unique-ID", "Record-File-Path", "Application", "Application-Data"} {
		if value, is := e.get(name); is {
			text += " " + value
		}
	}
	s.told.remember(text)
	s.checkTold()
}
