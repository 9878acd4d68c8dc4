package toggle

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// model is what FreeSWITCH really does with the commands. It knows whether speech is
// being written.
type model struct {
	armed, armedMasked, running, masked bool
	starts                              int
}

func (m *model) obey(c Command) What {
	switch c {
	case Arm:
		m.armed, m.armedMasked = true, false
	case ArmMasked:
		m.armed, m.armedMasked = true, true
	case Disarm:
		m.armed, m.armedMasked = false, false
	case Start:
		if !m.running {
			m.starts++
		}
		m.running, m.masked = true, false
	case Mask, Unmask, Stop:
		if !m.running {
			return Missing
		}
		m.masked = c == Mask
		m.running = c != Stop
	}
	return Done
}

// play is a sequence of steps, with a FreeSWITCH that carries commands out, refuses
// them or does not answer. After each step it checks what must always hold.
type play struct {
	t       *testing.T
	state   State
	model   model
	pending Command // sent, and not answered by FreeSWITCH yet
	obeyed  What    // what came of it, if FreeSWITCH has carried it out already; Chain if not
	path    []string
}

func (p *play) fact(f Fact) {
	next, commands := Next(p.state, f)
	if p.state.File == Closed && next.File == NoFile { // the call's next file
		if p.model.running {
			p.fail("the next file begins, and the one before is still running")
		}
		p.model.starts = 0
	}
	p.state = next
	if len(commands) > 1 || len(commands) == 1 && p.pending != None && !p.state.Gone {
		p.fail("two commands on their way")
	}
	if len(commands) == 1 {
		p.pending, p.obeyed = commands[0], Chain
	}
	if p.state.Gone {
		p.model.running, p.pending = false, None
	}
	p.check()
}

func (p *play) fail(why string) {
	p.t.Helper()
	p.t.Fatalf("%s: %+v, FreeSWITCH %+v, after %s", why, p.state, p.model, strings.Join(p.path, ", "))
}

func (p *play) check() {
	s, m := p.state, p.model
	speech := m.running && !m.masked
	resting := s.Pending == None && !s.Held && !s.Gone && !s.starting()
	if m.starts > 1 {
		p.fail("a second file")
	}
	if s.Pending != None && p.obeyed != Chain {
		return // the reply will say what is
	}
	switch {
	case speech && s.Status() == Paused, speech && s.Status() == Off && !s.starting():
		p.fail("speech is being written, and the status is " + string(s.Status()))
	case !speech && s.Status() == On && resting:
		p.fail("the status is on, and no speech is being written")
	case resting && s.Wish() != Speech && speech:
		p.fail("unwanted speech is being written, and nothing is done about it")
	case resting && s.Wish() == Speech && !m.running && s.Begun && s.Answered:
		p.fail("the recording has ended, and nothing is done about it")
	case resting && s.Wish() == Speech && m.running && m.masked:
		p.fail("unwanted silence is being written, and nothing is done about it")
	}
}

// starting reports whether the answer is starting the file, or a start is on its way:
// FreeSWITCH may be writing, and has not said so yet.
func (s State) starting() bool { return s.unstarted() && (s.Answered || s.Pending == Start) }

// obey lets FreeSWITCH carry the pending command out. Its reply is on its way.
func (p *play) obey() {
	if p.pending != None && p.obeyed == Chain {
		p.obeyed = p.model.obey(p.pending)
		p.check()
	}
}

// reply is FreeSWITCH's reply, or the news that none came. With Done it says what
// really became of the command. One that was refused or not sent was not carried out.
func (p *play) reply(fate What) {
	refused := fate == Refused || fate == Unsent
	if p.pending == None || refused && p.obeyed != Chain {
		return
	}
	if !refused {
		p.obey()
	}
	if fate == Done {
		fate = p.obeyed
	}
	c := p.pending
	p.pending = None
	p.fact(Fact{What: fate, Command: c})
}

// stopByOthers is a `uuid_record stop` by somebody else.
func (p *play) stopByOthers() {
	if p.model.running {
		p.model.running = false
		p.fact(Fact{What: Stopped})
	}
}

// pickUp answers the call, which starts the file that is armed.
func (p *play) pickUp() {
	if p.state.Answered || p.state.Gone {
		return
	}
	starts := p.model.armed
	if starts {
		p.model.running, p.model.masked = true, p.model.armedMasked
		p.model.starts++
	}
	p.fact(Fact{What: Answered})
	if starts {
		p.fact(Fact{What: Started})
	}
}

// TestEverySequence tries all sequences of nine steps: what the chain and people want,
// the answer, the hangup, and what FreeSWITCH does with commands. Sequences that have
// led to the same state go on together.
func TestEverySequence(t *testing.T) {
	steps := map[string]func(*play){
		"answer":   (*play).pickUp,
		"obeyed":   (*play).obey,
		"done":     func(p *play) { p.reply(Done) },
		"refused":  func(p *play) { p.reply(Refused) },
		"silent":   func(p *play) { p.reply(Unanswered) },
		"unsent":   func(p *play) { p.reply(Unsent) },
		"relinked": func(p *play) { p.fact(Fact{What: Reconnected}) },
		"overdue":  func(p *play) { p.fact(Fact{What: Overdue}) },
		"stopped":  (*play).stopByOthers,
		"broken":   func(p *play) { p.fact(Fact{What: Broken}) },
		"dissolve": func(p *play) { p.fact(Fact{What: Dissolved}) },
		"hangup":   func(p *play) { p.fact(Fact{What: HungUp}) },
	}
	for _, f := range intents {
		steps[f.String()] = func(p *play) { p.fact(f) }
	}
	names := slices.Sorted(maps.Keys(steps))
	const length = 9
	type place struct {
		state   State
		model   model
		pending Command
		obeyed  What
		left    int
	}
	seen := map[place]bool{}
	var try func(p play, left int)
	try = func(p play, left int) {
		key := place{p.state, p.model, p.pending, p.obeyed, left}
		key.state.Problems = 0
		if left == 0 || seen[key] {
			return
		}
		seen[key] = true
		for _, name := range names {
			q := p
			q.path = append(slices.Clip(p.path), name)
			steps[name](&q)
			try(q, left-1)
		}
	}
	try(play{t: t}, length)
	t.Logf("%d steps to choose from, %d places", len(steps), len(seen))
}
