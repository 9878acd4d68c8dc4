package toggle

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// everyFact is each fact that the machine knows.
func everyFact() []Fact {
	facts := []Fact{{What: Wished, Wish: Nothing}, {What: Wished, Wish: Silence}, {What: Wished, Wish: Speech},
		{What: Answered}, {What: Started}, {What: Overdue}, {What: Reconnected}, {What: Stopped}, {What: HungUp}}
	for c := Arm; c <= Stop; c++ {
		for _, w := range []What{Done, Refused, Missing, Unanswered} {
			facts = append(facts, Fact{What: w, Command: c})
		}
	}
	return facts
}

// reachable is every state that facts can lead to, in the order of discovery.
// Problems are left out: they only add up, and no decision reads them.
func reachable() []State {
	states, seen := []State{{}}, map[State]bool{{}: true}
	for i := 0; i < len(states); i++ {
		for _, f := range everyFact() {
			next, _ := Next(states[i], f)
			next.Problems = 0
			if !seen[next] {
				seen[next] = true
				states = append(states, next)
			}
		}
	}
	return states
}

func (s State) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, file %s", s.Wish, s.File)
	for _, flag := range []struct {
		set  bool
		name string
	}{{s.Answered, "answered"}, {s.Gone, "hung up"}, {s.Held, "held"}, {s.Doomed, "to be stopped"}} {
		if flag.set {
			b.WriteString(", " + flag.name)
		}
	}
	if s.Pending != None {
		fmt.Fprintf(&b, ", awaiting %s", s.Pending)
	}
	return b.String()
}

// TestTransitions prints every transition that changes something.
func TestTransitions(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Every state of a recording, and what each fact makes of it. Facts that change nothing are left out.\n" +
		"# wish, file [...] (told)\n#   fact -> state after it => command to FreeSWITCH ! problem noted\n")
	for _, s := range reachable() {
		fmt.Fprintf(&b, "\n%s (%s)\n", s.line(), s.Told())
		for _, f := range everyFact() {
			next, commands := Next(s, f)
			if next == s && len(commands) == 0 {
				continue
			}
			fmt.Fprintf(&b, "  %s -> %s", f, next.line())
			for _, c := range commands {
				fmt.Fprintf(&b, " => %s", c)
			}
			for _, p := range next.Problems.Names() {
				fmt.Fprintf(&b, " ! %s", p)
			}
			b.WriteString("\n")
		}
	}
	const golden = "testdata/transitions.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the transitions changed: read the difference after `go test ./toggle -update`")
	}
}

// model is what FreeSWITCH really does with the commands; it tells whether
// speech is being written.
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

// play runs facts through the machine with a switch that obeys, fails or is
// silent as fate says, and checks after each what must always hold.
type play struct {
	t     *testing.T
	state State
	model model
	queue []Command
	log   []string
}

func (p *play) fact(f Fact) {
	if p.state.Gone {
		p.model.running = false
	}
	next, commands := Next(p.state, f)
	p.log = append(p.log, fmt.Sprintf("%s -> %s %v", f, next.line(), commands))
	p.state = next
	p.queue = append(p.queue, commands...)
	p.check()
}

func (p *play) check() {
	s, m := p.state, p.model
	fail := func(why string) { p.t.Fatalf("%s:\n%s", why, strings.Join(p.log, "\n")) }
	if m.starts > 1 {
		fail("a second file")
	}
	if s.Told() == Paused && m.running && !m.masked {
		fail("told paused while speech is written")
	}
	if s.Told() == Off && s.File == Masked && m.running && !m.masked {
		fail("told off while speech is written")
	}
	quiet := s.Pending == None && !s.Held && !s.Gone && len(p.queue) == 0
	if quiet && s.Wish != Speech && m.running && !m.masked && s.File != Armed && s.File != ArmedMasked && s.File != NoFile {
		fail("speech is written and nothing is being done about it")
	}
	if quiet && s.Wish == Speech && s.File == Masked {
		fail("silence is written and nothing is being done about it")
	}
	if len(p.queue) > 1 {
		fail("two commands on their way")
	}
}

// answer lets the switch carry the waiting command out.
func (p *play) answer(fate What) {
	if len(p.queue) == 0 {
		return
	}
	c := p.queue[0]
	p.queue = nil
	if p.state.Gone {
		return
	}
	if fate == Done {
		fate = p.model.obey(c)
	} else if fate == Unanswered {
		p.model.obey(c) // it was done, and we do not know
	}
	p.fact(Fact{What: fate, Command: c})
}

// pickUp answers the call, which starts what is armed.
func (p *play) pickUp() {
	if p.state.Answered {
		return
	}
	starts := p.model.armed
	p.fact(Fact{What: Answered})
	if starts {
		p.model.running, p.model.masked = true, p.model.armedMasked
		p.model.starts++
		p.fact(Fact{What: Started})
	}
}

// TestEverySequence tries all sequences of steps up to a length, each step
// being a wish, the answer, a hangup, or the switch obeying, refusing or not
// replying to what it was last told.
func TestEverySequence(t *testing.T) {
	steps := []func(*play){
		func(p *play) { p.fact(Fact{What: Wished, Wish: Nothing}) },
		func(p *play) { p.fact(Fact{What: Wished, Wish: Silence}) },
		func(p *play) { p.fact(Fact{What: Wished, Wish: Speech}) },
		(*play).pickUp,
		func(p *play) { p.answer(Done) },
		func(p *play) { p.answer(Refused) },
		func(p *play) { p.answer(Unanswered) },
		func(p *play) { p.fact(Fact{What: Reconnected}) },
		func(p *play) { p.fact(Fact{What: HungUp}) },
	}
	const length = 6
	var try func(p play, left int)
	n := 0
	try = func(p play, left int) {
		n++
		if left == 0 {
			return
		}
		for _, step := range steps {
			q := p
			q.queue = append([]Command(nil), p.queue...)
			q.log = append([]string(nil), p.log...)
			step(&q)
			try(q, left-1)
		}
	}
	try(play{t: t}, length)
	t.Logf("%d sequences", n)
}

// TestEveryErrorEndsTrue: whatever uuid_record answers, the state says what is.
func TestEveryErrorEndsTrue(t *testing.T) {
	for _, tc := range []struct {
		name  string
		facts []Fact
		want  State
		told  Told
	}{
		{"start refused", []Fact{{What: Answered}, {What: Wished, Wish: Speech}, {What: Refused, Command: Start}},
			State{Wish: Speech, Answered: true, Held: true, Problems: NotStarted}, Off},
		{"the answer started nothing", []Fact{{What: Wished, Wish: Speech}, {What: Done, Command: Arm}, {What: Answered}, {What: Overdue}},
			State{Wish: Speech, Answered: true, Pending: Start, Problems: NotStarted}, Off},
		{"mask refused stops it", []Fact{{What: Wished, Wish: Speech}, {What: Done, Command: Arm}, {What: Answered}, {What: Started},
			{What: Wished, Wish: Nothing}, {What: Refused, Command: Mask}, {What: Done, Command: Stop}},
			State{Answered: true, File: Closed, Doomed: true, Problems: MaskRefused}, Off},
		{"mask and stop find nothing", []Fact{{What: Wished, Wish: Speech}, {What: Done, Command: Arm}, {What: Answered}, {What: Started},
			{What: Wished, Wish: Nothing}, {What: Refused, Command: Mask}, {What: Missing, Command: Stop}},
			State{Answered: true, File: Closed, Doomed: true, Problems: MaskRefused}, Off},
		{"unmask finds nothing", []Fact{{What: Wished, Wish: Silence}, {What: Done, Command: ArmMasked}, {What: Answered}, {What: Started},
			{What: Done, Command: Mask}, {What: Wished, Wish: Speech}, {What: Missing, Command: Unmask}},
			State{Wish: Speech, Answered: true, File: Closed, Problems: Lost}, Off},
		{"stopped by somebody else", []Fact{{What: Wished, Wish: Speech}, {What: Done, Command: Arm}, {What: Answered}, {What: Started}, {What: Stopped}},
			State{Wish: Speech, Answered: true, File: Closed, Problems: Lost}, Off},
		{"hung up before the start was confirmed", []Fact{{What: Wished, Wish: Speech}, {What: Done, Command: Arm}, {What: Answered}, {What: HungUp}},
			State{Wish: Speech, Answered: true, Gone: true, File: Armed, Problems: NotStarted}, Off},
		{"given up before the answer", []Fact{{What: Wished, Wish: Speech}, {What: Done, Command: Arm}, {What: HungUp}},
			State{Wish: Speech, Gone: true, File: Armed}, Off},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var s State
			for _, f := range tc.facts {
				s, _ = Next(s, f)
			}
			if s != tc.want || s.Told() != tc.told {
				t.Errorf("got %+v (%s), want %+v (%s)", s, s.Told(), tc.want, tc.told)
			}
		})
	}
}
