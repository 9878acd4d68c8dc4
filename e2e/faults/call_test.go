package faults

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"tapedeck/esl/esltest"
)

// call is a call as its people know it.
type call struct {
	s    *stage
	name string
	kind string
	way  *rand.Rand // draws which instance a leg connects to first
	callOfRoom

	mu       sync.Mutex
	first    *esltest.Channel
	anchor   *esltest.Channel // nil until an outgoing call is answered
	legs     []*esltest.Channel
	moments  []moment
	presses  []*press
	entries  []entering
	followed bool      // a Tapedeck has answered its first socket
	ended    time.Time // when its people hung up, or it dissolved
	into     *call     // into which it has dissolved
	stayed   bool      // it lasted until all faults were healed
	agreed   time.Time // since then, what is recorded is what is wanted
}

// callOfRoom is what only a call in a conference room has.
type callOfRoom struct {
	room   *room
	ext    string // extension of its user; "": it is an outside party's
	number string // that the outside party has dialled
}

// moment is an event that matters to the rules (docs/design.md, section 2).
type moment struct {
	at      time.Time
	what    string // enters, joins, leaves, rings, answers, presses, unsure
	element string
	user    string
	leg     *esltest.Channel
	press   *press
}

// press is one person's press.
type press struct {
	at     time.Time
	until  time.Time // when the same leg presses again
	gone   time.Time // when the leg left the conference room
	leg    *esltest.Channel
	ext    string // extension; "": the outside party's
	method string // dtmf, record_key
	ask    int    // 1: on, -1: off, 0: turn over

	bound   bool // dtmf: FreeSWITCH recognised the code
	refused bool // record key: FreeSWITCH itself refused it
}

// entering is one visit of a leg to the socket.
type entering struct {
	at   time.Time
	took time.Duration
	left bool // it ended with the controller's exit
	err  error
}

func (c *call) id() string { return c.first.UUID() }

func (c *call) happens(m moment) {
	c.mu.Lock()
	m.at = time.Now()
	c.moments = append(c.moments, m)
	c.mu.Unlock()
	leg := ""
	if m.leg != nil {
		leg = m.leg.UUID()[:8]
	}
	c.s.note("%s %.8s: %s %s%s %s", c.name, c.id(), m.what, m.element, m.user, leg)
}

func (c *call) has(leg *esltest.Channel) *esltest.Channel {
	if leg != nil {
		c.mu.Lock()
		c.legs = append(c.legs, leg)
		c.mu.Unlock()
	}
	return leg
}

// enter connects a leg to the socket, as the dialplan does. It reports whether an
// instance let it go with exit.
func (c *call) enter(leg *esltest.Channel, element string) bool {
	if element != "" {
		leg.Set("tapedeck_element", element)
	}
	ctx, cancel := c.s.context()
	defer cancel()
	e := entering{at: time.Now()}
	first := c.way.IntN(2)
	if c.room != nil {
		first = c.room.socket
	}
	stats, err := leg.Socket(ctx, c.s.socket(first))
	e.took, e.left, e.err = stats.Total, stats.Exit && err == nil, err
	c.mu.Lock()
	c.entries = append(c.entries, e)
	c.mu.Unlock()
	c.s.note("%s %.8s: entered %q in %v: %t %v", c.name, c.id(), element, e.took.Round(time.Millisecond), e.left, err)
	if !e.left {
		leg.Set("tapedeck_element", "") // the dialplan enters another element later
		if err == nil || !strings.Contains(err.Error(), esltest.ErrNoController.Error()) {
			c.happens(moment{what: "unsure"}) // the connection broke: the element may have been entered or not
			if c.room != nil {
				c.room.happens("unsure", c, nil)
			}
		}
	}
	return e.left
}

// over reports whether the call has ended: FreeSWITCH died, or its people hung up.
func (c *call) over() bool {
	leg := c.first
	if c.anchor != nil {
		leg = c.anchor
	}
	select {
	case <-leg.Done():
		return true
	default:
		return false
	}
}

// hangUp ends all of its legs, the recorded one first.
func (c *call) hangUp() {
	c.mu.Lock()
	if c.first == nil || !c.ended.IsZero() {
		c.mu.Unlock()
		return
	}
	c.ended = time.Now()
	legs := slices.Clone(c.legs)
	c.mu.Unlock()
	if c.anchor != nil {
		c.anchor.Hangup("")
	}
	for _, leg := range legs {
		leg.Hangup("")
	}
	c.s.note("%s %.8s: hung up", c.name, c.id())
}

// stand is the state of the call by the rules, at a time.
func (c *call) stand(until time.Time, known []sidecar) *ruled {
	if c.room != nil {
		if is := c.room.stand(until, known).of[c]; is != nil {
			return is
		}
		return &ruled{policy: c.s.plan.policy, direction: c.kind}
	}
	at := &ruled{policy: c.s.plan.policy, direction: c.kind}
	c.mu.Lock()
	moments := slices.Clone(c.moments)
	c.mu.Unlock()
	for i, m := range moments {
		if m.at.After(until) {
			break
		}
		next := until
		if i+1 < len(moments) {
			next = moments[i+1].at
		}
		switched := at.person != 0 || at.unsure
		c.take(at, m, next, known)
		if m.what == "joins" && switched && c.transient(m, moments[i+1:]) {
			at.unsure, at.missed = true, true
		}
	}
	return at
}

// transient reports whether a user joined while something was broken, and had left
// before Tapedeck could see who was on the call.
func (c *call) transient(m moment, after []moment) bool {
	for _, f := range c.s.plan.faults {
		if f.struck.IsZero() || m.at.Before(f.struck) || m.at.After(cmp.Or(f.healed, time.Now()).Add(noticed)) {
			continue
		}
		for _, then := range after {
			if then.what == "leaves" && then.leg == m.leg && then.at.Before(cmp.Or(f.healed, time.Now()).Add(noticed)) {
				return true
			}
		}
	}
	return false
}

// noticed is how long after a fault was healed a call may still have no owner.
const noticed = 6 * time.Second

func (c *call) take(at *ruled, m moment, next time.Time, known []sidecar) {
	switch m.what {
	case "enters":
		at.enters(m.element, nil)
	case "first":
		at.passed = append(at.passed, passed{"user/" + m.user, m.leg})
		at.away = ""
	case "anchors":
		at.anchor = m.leg
	case "answers":
		at.answered = true
	case "joins":
		at.joins(m.user, m.leg)
	case "leaves":
		at.leaves(m.leg)
	case "rings":
		at.ringing = true
	case "unsure":
		at.unsure, at.vague = true, true
	case "presses":
		c.takePress(at, m.press, next, known)
	}
}

// takePress applies a press to the state, by what the phone heard and the trace says.
func (c *call) takePress(at *ruled, p *press, next time.Time, known []sidecar) {
	if p.method == "dtmf" && !p.bound {
		return
	}
	answer, trace := c.answer(p, known)
	before := at.wanted()
	switch {
	case answer == "recorded":
		if before || !at.sure() {
			at.person = -1
		}
		at.unsure, at.missed = false, false
	case answer == "is-being-recorded":
		if !before || !at.sure() {
			at.person = 1
		}
		at.unsure, at.missed = false, false
	case answer == "not-permitted", trace != "" && trace != "ok":
	case trace == "ok" && c.s.killedAfter(p.at):
		at.unsure = true // it was obeyed, or only traced: then it is found again later, and refused
	case trace == "ok":
		if on := p.ask > 0 || p.ask == 0 && !before; on != before {
			at.person = map[bool]int{true: 1, false: -1}[on]
		}
	case p.ext != "" && at.permits(users[p.ext], true) && (p.ask == 0 || (p.ask > 0) != before):
		at.unsure = true // it may have been obeyed
	}
}

// killedAfter reports whether a Tapedeck was killed so soon after a press that it may
// have traced the press and not carried it out: what it had sent was lost with it if
// FreeSWITCH was slow.
func (s *stage) killedAfter(press time.Time) bool {
	soon := press.Add(600 * ms)
	for _, f := range s.plan.faults {
		slow := (f.kind == switchSlow || f.kind == switchStill) && !f.struck.IsZero()
		if slow && f.struck.Before(soon) && press.Before(cmp.Or(f.healed, time.Now())) {
			soon = press.Add(commandTime)
		}
	}
	return slices.ContainsFunc(s.plan.faults, func(f *fault) bool {
		return f.kind == killed && f.struck.After(press) && f.struck.Before(soon)
	})
}

// commandTime is how long Tapedeck waits for FreeSWITCH's reply to a command.
const commandTime = 2 * time.Second

// early is how much earlier than the press its line in the trace may be: the press is
// noted after its digits are sent.
const early = 50 * time.Millisecond

// isOf reports whether a line of the trace is of this press. A line does not name the
// leg: it is not of this press once its user has pressed again, on whichever leg. A line
// that is a little earlier belongs to the press before, if the same leg has made one.
func (c *call) isOf(p *press, line time.Time) bool {
	next := slices.ContainsFunc(c.presses, func(q *press) bool {
		return (q.leg == p.leg || q.ext == p.ext) && q.method == p.method && (q.bound || q.method != "dtmf") && q.at.After(p.at) && !line.Before(q.at)
	})
	switch {
	case next, !p.gone.IsZero() && line.After(p.gone):
		return false
	case !line.Before(p.at):
		return true
	}
	return p.at.Sub(line) < early && !slices.ContainsFunc(c.presses, func(q *press) bool {
		return q.leg == p.leg && q.method == p.method && q.until.Equal(p.at) && !q.at.After(line)
	})
}

// covers reports whether the presses of this call's people are in the trace of a call.
func (c *call) covers(id string) bool { return id == c.id() || c.room != nil && c.room.has(id) }

// answer is the prompt that the phone heard after a press, and the press's result in
// the trace; "" if there is none.
func (c *call) answer(p *press, known []sidecar) (heard, result string) {
	switch {
	case p.refused:
		return "not-permitted", ""
	case p.method == "dtmf" && !p.bound:
		return "", ""
	}
	taken, later, traced := p.at, false, false // taken: what the phone heard before answered an earlier press
	for _, s := range known {
		for _, n := range s.Trace {
			traced = traced || c.covers(s.Call)
			switch {
			case n.Call != "": // the trace of the call in which it was pressed has it, too
			case !c.covers(s.Call) || n.What != "pressed" || n.Method != p.method || n.User != users[p.ext]:
			case c.isOf(p, n.At):
				result = n.Result
				if n.At.After(taken) {
					taken = n.At
				}
			case !p.until.IsZero() && !n.At.Before(p.until):
				later = true
			}
		}
	}
	if result == "" && (later || traced && !c.s.struck(killed)) {
		return "", "" // it is not taken yet, or was taken so late that its line may be any press's
	}
	last := c.hears(p, taken)
	if heard = last.name; heard == "is-being-recorded" && result == "" && c.s.tap.takenOver(c.id(), p.at, last.at) {
		return "", "" // the next owner traces what it obeys: it has resumed the recording, and told everybody so
	}
	if heard == "is-being-recorded" && result != "" && result != "ok" {
		heard = "not-permitted" // the prompt was no answer: the recording was resumed
	}
	return heard, result
}

// hears is the last prompt that the phone has heard since a time, until it pressed
// again; without a name if there is none. If its user has pressed on another leg meanwhile, the
// phone may be told what came of that, too: then it is the last one before that press,
// or else the first one.
func (c *call) hears(p *press, since time.Time) prompt {
	until := p.until
	if until.IsZero() {
		until = time.Now()
	}
	first := c.room != nil
	if next := c.pressedElsewhere(p); !first && !next.IsZero() && next.Before(until) {
		if h, found := c.s.tap.heard(p.leg.UUID(), since, next, false); found {
			return h
		}
		first = true
	}
	h, _ := c.s.tap.heard(p.leg.UUID(), since, until, first)
	return h
}

// pressedElsewhere is when the user of a press has pressed on another leg after it; zero
// if never.
func (c *call) pressedElsewhere(p *press) (next time.Time) {
	for _, q := range c.presses {
		again := p.ext != "" && q.ext == p.ext && q.leg != p.leg && q.at.After(p.at) && (q.bound || q.method != "dtmf")
		if again && (next.IsZero() || q.at.Before(next)) {
			next = q.at
		}
	}
	return next
}
