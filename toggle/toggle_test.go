package toggle

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// What the chain may say. In those whose names begin with fresh or sticky an element
// with an explicit setting was entered.
var (
	chainOff     = Fact{What: Chain}
	chainGuarded = Fact{What: Chain, On: true, Guard: true}
	offGuarded   = Fact{What: Chain, Guard: true} // a person turned the call on, and a user may join who would turn it off
	chainOn      = Fact{What: Chain, On: true}
	freshOff     = Fact{What: Chain, Fresh: true}
	freshOn      = Fact{What: Chain, On: true, Fresh: true}
	stickyOff    = Fact{What: Chain, Fresh: true, Sticky: true}
	stickyOn     = Fact{What: Chain, On: true, Fresh: true, Sticky: true}
)

// intents are what the chain and people may say. They make the wish, which the file
// follows.
var intents = []Fact{chainOff, offGuarded, chainGuarded, chainOn, freshOff, freshOn, stickyOff, stickyOn,
	{What: Pressed, Press: Turn}, {What: Pressed, Press: TurnOn}, {What: Pressed, Press: TurnOff},
	{What: Stands}, {What: Stands, Person: SwitchedOn}, {What: Stands, Person: SwitchedOff}}

// fileFacts are one fact for each wish, and all that may happen to the file.
func fileFacts() []Fact {
	facts := []Fact{chainOff, chainGuarded, chainOn, {What: Answered}, {What: Started}, {What: Overdue}, {What: Reconnected}, {What: Stopped}, {What: HungUp}, {What: Broken}}
	for c := Arm; c <= Stop; c++ {
		for _, w := range []What{Done, Refused, Missing, Unanswered, Unsent} {
			facts = append(facts, Fact{What: w, Command: c})
		}
	}
	return facts
}

// reachable is every state that facts can lead to, in the order of discovery.
// Problems are left out, because no decision reads them.
func reachable(facts []Fact) []State {
	states, seen := []State{{}}, map[State]bool{{}: true}
	for i := 0; i < len(states); i++ {
		for _, f := range facts {
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

// intent is the part of a state that the chain and people make.
func (s State) intent() string {
	text := "chain " + map[bool]string{true: "on", false: "off"}[s.On]
	if s.Guard {
		text += " guarded"
	}
	if s.Person != Nobody {
		text += ", " + s.Person.String()
	}
	return fmt.Sprintf("%s: %s", text, s.Wish())
}

// file is the part of a state that FreeSWITCH makes.
func (s State) file() string {
	text := fmt.Sprintf("%s, file %s", s.Wish(), s.File)
	for _, flag := range []struct {
		set  bool
		name string
	}{{s.Answered, "answered"}, {s.Gone, "hung up"}, {s.Begun && s.unstarted(), "begun"}, {s.Held, "held"}, {s.Doomed, "to be stopped"}} {
		if flag.set {
			text += ", " + flag.name
		}
	}
	if s.Pending != None {
		text += fmt.Sprintf(", awaiting %s", s.Pending)
	}
	return text
}

// TestTransitions prints every transition that changes something, in two
// tables: what is wanted, and what becomes of the file.
func TestTransitions(t *testing.T) {
	var b strings.Builder
	b.WriteString("# What is wanted: what the chain and people say, and the wish that comes of it.\n")
	printTable(&b, intents, State.intent, func(State) string { return "" })
	b.WriteString("\n# What becomes of the file: wish, file (status);\n" +
		"# fact -> state after it => command to FreeSWITCH ! problem noted. Facts that change nothing are left out.\n")
	printTable(&b, fileFacts(), State.file, func(s State) string { return fmt.Sprintf(" (%s)", s.Status()) })
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

// printTable prints the states that facts lead to, each part of a state once.
func printTable(b *strings.Builder, facts []Fact, part, status func(State) string) {
	printed := map[string]bool{}
	for _, s := range reachable(facts) {
		if printed[part(s)] {
			continue
		}
		printed[part(s)] = true
		fmt.Fprintf(b, "\n%s%s\n", part(s), status(s))
		for _, f := range facts {
			next, commands := Next(s, f)
			if part(next) == part(s) && len(commands) == 0 {
				continue
			}
			fmt.Fprintf(b, "  %s -> %s", f, part(next))
			if status(s) != "" {
				for _, c := range commands {
					fmt.Fprintf(b, " => %s", c)
				}
				for _, p := range next.Problems.Names() {
					fmt.Fprintf(b, " ! %s", p)
				}
			}
			b.WriteString("\n")
		}
	}
}

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

// TestEveryErrorEndsTrue: whatever uuid_record answers, the state is what FreeSWITCH
// does.
func TestEveryErrorEndsTrue(t *testing.T) {
	for _, tc := range []struct {
		name   string
		facts  []Fact
		want   State
		status Status
	}{
		{"start refused", []Fact{{What: Answered}, chainOn, {What: Refused, Command: Start}},
			State{On: true, Answered: true, Held: true, Problems: NotStarted}, Off},
		{"the answer started nothing", []Fact{chainOn, {What: Done, Command: Arm}, {What: Answered}, {What: Overdue}},
			State{On: true, Answered: true, Pending: Start, Problems: NotStarted}, Off},
		{"mask refused stops it", []Fact{chainOn, {What: Done, Command: Arm}, {What: Answered}, {What: Started},
			chainOff, {What: Refused, Command: Mask}, {What: Done, Command: Stop}},
			State{Answered: true, File: Closed, Begun: true, Doomed: true, Problems: MaskRefused}, Off},
		{"mask and stop find nothing", []Fact{chainOn, {What: Done, Command: Arm}, {What: Answered}, {What: Started},
			chainOff, {What: Refused, Command: Mask}, {What: Missing, Command: Stop}},
			State{Answered: true, File: Closed, Begun: true, Doomed: true, Problems: MaskRefused}, Off},
		{"unmask finds nothing", []Fact{chainGuarded, {What: Done, Command: ArmMasked}, {What: Answered}, {What: Started},
			{What: Done, Command: Mask}, chainOn, {What: Missing, Command: Unmask}},
			State{On: true, Answered: true, File: Closed, Begun: true, Held: true, Problems: Lost}, Off},
		{"stopped by somebody else", []Fact{chainOn, {What: Done, Command: Arm}, {What: Answered}, {What: Started}, {What: Stopped}},
			State{On: true, Answered: true, File: Closed, Begun: true, Held: true, Problems: Lost}, Off},
		{"stopped by somebody else, and begun again", []Fact{chainOn, {What: Done, Command: Arm}, {What: Answered}, {What: Started}, {What: Stopped},
			{What: Reconnected}, {What: Done, Command: Start}},
			State{On: true, Answered: true, File: Recording, Begun: true, Problems: Lost}, On},
		{"the file is gone: stopped, and begun again", []Fact{chainOn, {What: Done, Command: Arm}, {What: Answered}, {What: Started}, {What: Broken},
			{What: Done, Command: Stop}, {What: Reconnected}, {What: Done, Command: Start}},
			State{On: true, Answered: true, File: Recording, Begun: true}, On},
		{"the file is gone in a pause: nothing to begin before it ends", []Fact{chainOn, {What: Done, Command: Arm}, {What: Answered}, {What: Started},
			{What: Pressed}, {What: Done, Command: Mask}, {What: Broken}, {What: Done, Command: Stop}, {What: Reconnected}},
			State{On: true, Person: SwitchedOff, Answered: true, File: Closed, Begun: true, Doomed: true}, Off},
		{"a start that was refused is not tried again when the user has been told so", []Fact{{What: Answered}, {What: Pressed}, {What: Refused, Command: Start},
			{What: Stands}, {What: Reconnected}}, State{Answered: true, Problems: NotStarted}, Off},
		{"a pause that could not be ended lasts", []Fact{chainOn, {What: Done, Command: Arm}, {What: Answered}, {What: Started},
			{What: Pressed}, {What: Done, Command: Mask}, {What: Pressed}, {What: Refused, Command: Unmask}, {What: Stands, Person: SwitchedOff}, {What: Reconnected}},
			State{On: true, Person: SwitchedOff, Answered: true, File: Masked, Begun: true, Problems: UnmaskRefused}, Paused},
		{"hung up before the start was confirmed", []Fact{chainOn, {What: Done, Command: Arm}, {What: Answered}, {What: HungUp}},
			State{On: true, Answered: true, Gone: true, File: Armed, Problems: NotStarted}, Off},
		{"given up before the answer", []Fact{chainOn, {What: Done, Command: Arm}, {What: HungUp}},
			State{On: true, Gone: true, File: Armed}, Off},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var s State
			for _, f := range tc.facts {
				s, _ = Next(s, f)
			}
			if s != tc.want || s.Status() != tc.status {
				t.Errorf("got %+v (%s), want %+v (%s)", s, s.Status(), tc.want, tc.status)
			}
		})
	}
}

// TestAdopted: a Tapedeck that takes a call over assumes that speech is being written,
// and makes FreeSWITCH confirm what is wanted.
func TestAdopted(t *testing.T) {
	paused := State{On: true, Person: SwitchedOff, Answered: true, File: Masked, Begun: true}
	recording := State{On: true, Answered: true, File: Recording, Begun: true}
	armed := State{On: true, File: Armed}
	for _, tc := range []struct {
		name           string
		before         State
		answered, runs bool
		want           State
		command        Command
	}{
		{"paused: masked again", paused, true, true, State{On: true, Person: SwitchedOff, Answered: true, File: Open, Begun: true}, Mask},
		{"recording: unmasked again", recording, true, true, State{On: true, Answered: true, File: Open, Begun: true}, Unmask},
		{"recording, ended meanwhile: a further file", recording, true, false,
			State{On: true, Answered: true, File: Closed, Begun: true, Problems: Lost}, Start},
		{"a mask on its way: masked again", State{On: true, Person: SwitchedOff, Answered: true, File: Recording, Pending: Mask, Begun: true}, true, true,
			State{On: true, Person: SwitchedOff, Answered: true, File: Open, Begun: true}, Mask},
		{"armed, not answered: armed again", armed, false, false, State{On: true, File: ArmedUnsure}, Arm},
		{"armed, answered meanwhile and started", armed, true, true, State{On: true, Answered: true, File: Open, Begun: true}, Unmask},
		{"armed, answered meanwhile and not started", armed, true, false, State{On: true, Answered: true, Problems: NotStarted}, Start},
		{"armed masked, answered meanwhile and not started", State{On: true, Guard: true, File: ArmedMasked}, true, false,
			State{On: true, Guard: true, Answered: true, Problems: NotStarted}, None},
		{"off", State{Answered: true}, true, false, State{Answered: true}, None},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.before.Adopted(tc.answered, tc.runs)
			if got != tc.want {
				t.Errorf("adopted %+v, want %+v", got, tc.want)
			}
			if next, _ := Next(got, Fact{What: Reconnected}); next.Pending != tc.command {
				t.Errorf("sends %s, want %s", next.Pending, tc.command)
			}
		})
	}
}
