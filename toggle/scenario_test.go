package toggle

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tapedeck/flow"
	"tapedeck/flow/flowtest"
	"tapedeck/internal/testkit"
)

// scenarios is where the files are, each of which is one call.
const scenarios = "testdata/scenarios/"

// TestScenarios runs every scenario and compares the output of each step with what
// the file says. Its README says how to read and how to write one; `go test ./toggle
// -update` writes the outputs and the README's index anew.
func TestScenarios(t *testing.T) {
	paths, err := filepath.Glob(scenarios + "*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenario: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			testkit.Golden(t, path, runScenario(t, readFile(t, path)))
		})
	}
	for _, known := range sentences {
		if !taken[known.pattern] {
			t.Errorf("no scenario has the step %q", known.pattern)
		}
	}
}

// taken are the patterns of the sentences that occur in a scenario.
var taken = map[string]bool{}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The last rule of docs/design.md, sections 2 and 12, that has scenarios, and how prose
// cites them.
const rules = 11

var (
	citation = regexp.MustCompile(`\brules?((?:,? (?:and )?\d+)+)`)
	digits   = regexp.MustCompile(`\d+`)
)

// TestScenariosByRule: every rule has a scenario that cites it, and the end of the
// README lists them.
func TestScenariosByRule(t *testing.T) {
	paths, err := filepath.Glob(scenarios + "*.txt")
	if err != nil {
		t.Fatal(err)
	}
	byRule := map[string][]string{}
	for _, path := range paths {
		title, _, _ := strings.Cut(readFile(t, path), "\n")
		line := fmt.Sprintf("- [%s](%s)\n", title, filepath.Base(path))
		prose := strings.Join(strings.Fields(readFile(t, path)), " ")
		cited := map[string]bool{}
		for _, m := range citation.FindAllStringSubmatch(prose, -1) {
			for _, rule := range digits.FindAllString(m[1], -1) {
				cited[rule] = true
			}
		}
		if len(cited) == 0 {
			cited["none"] = true
		}
		for rule := range cited {
			byRule[rule] = append(byRule[rule], line)
		}
	}
	var index strings.Builder
	for n := 1; n <= rules; n++ {
		rule := fmt.Sprint(n)
		if len(byRule[rule]) == 0 {
			t.Errorf("no scenario cites rule %d", n)
		}
		fmt.Fprintf(&index, "\nRule %d:\n%s", n, strings.Join(byRule[rule], ""))
	}
	if len(byRule["none"]) > 0 {
		fmt.Fprintf(&index, "\nWhat goes wrong with FreeSWITCH or the disk:\n%s", strings.Join(byRule["none"], ""))
	}
	const path, heading = scenarios + "README.md", "## By rule\n"
	head, _, found := strings.Cut(readFile(t, path), heading)
	if !found {
		t.Fatalf("%s has no %q", path, heading)
	}
	testkit.Golden(t, path, head+heading+index.String())
}

// What the lines of a scenario begin with: the settings, a step, the output of a
// step. Every other line is prose.
const (
	settingMark = "| "
	stepMark    = "> "
	outputMark  = "    "
)

// runScenario takes every step of a scenario and returns its text with the outputs
// that they really have.
func runScenario(t *testing.T, text string) string {
	t.Helper()
	var settings []string
	for line := range strings.Lines(text) {
		if setting, ok := strings.CutPrefix(line, settingMark); ok {
			settings = append(settings, strings.TrimSuffix(setting, "\n"))
		}
	}
	s := &scenario{t: t, org: organisation(t, settings)}
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, outputMark) {
			continue
		}
		b.WriteString(line)
		if step, ok := strings.CutPrefix(line, stepMark); ok {
			s.take(strings.TrimSpace(step))
			for _, line := range s.output {
				b.WriteString(outputMark + line + "\n")
			}
		}
	}
	return b.String()
}

// organisation is acme of the policy file that has these settings. Unless they say
// otherwise, its users may press by every method.
func organisation(t *testing.T, settings []string) *flow.Organisation {
	t.Helper()
	top, lines := "", []string{}
	for _, line := range settings {
		if strings.HasPrefix(line, "precedence:") {
			top = line + "\n"
		} else {
			lines = append(lines, "    "+line)
		}
	}
	if !slices.ContainsFunc(settings, func(line string) bool { return strings.HasPrefix(line, "on_demand:") }) {
		lines = append(lines, `    on_demand: { dtmf: "*1", record_key: true, blind_transfer: "*1", api: true }`)
	}
	p := flowtest.Policy(t, "version: 1\n"+top+"organisations:\n  acme:\n"+strings.Join(lines, "\n")+"\n")
	return p.Organisations["acme"]
}

// scenario is one call as package call has it, as far as the rules go: the elements
// that it has passed, whose phone rings, who talks, and the state of its recording.
type scenario struct {
	t         *testing.T
	org       *flow.Organisation
	direction flow.Direction
	caller    flow.Element // an internal or outgoing call's: he stays
	chain     flow.Chain
	ringing   []string // users
	fresh     bool     // an element with an explicit setting was entered
	verdict   string   // of the chain, as printed last
	chained   Fact     // what toggle knows of the chain
	state     State
	output    []string // of the step that is being taken
	acted     bool     // the step has led to a command
	dissolved bool     // the call is part of another one: its settings count no more
}

// sentences are the steps: a pattern, and what it does with the words that the
// pattern's groups match.
var sentences = []struct {
	pattern string
	do      func(s *scenario, words []string)
}{
	{`inbound call to (\S+)`, func(s *scenario, w []string) { s.begins(flow.Inbound, "number/"+w[0]) }},
	{`internal call by (\w+)`, func(s *scenario, w []string) { s.begins(flow.Internal, "user/"+w[0]) }},
	{`outbound call by (\w+), showing (\S+)`, func(s *scenario, w []string) { s.begins(flow.Outbound, "user/"+w[0], "number/"+w[1]) }},
	{`the call enters (\S+)`, func(s *scenario, w []string) { s.enters(element(s.t, w[0])); s.resolve() }},
	{`the phone of (\w+) rings`, func(s *scenario, w []string) { s.ringing = append(s.ringing, w[0]); s.resolve() }},
	{`(\w+) comes on the call`, func(s *scenario, w []string) { s.joins(w[0]) }},
	{`the call is answered`, func(s *scenario, _ []string) { s.fact(Fact{What: Answered}); s.resolve() }},
	{`the recording has started`, func(s *scenario, _ []string) { s.fact(Fact{What: Started}) }},
	{`nothing has started for a while`, func(s *scenario, _ []string) { s.fact(Fact{What: Overdue}) }},
	{`the recording has ended`, func(s *scenario, _ []string) { s.fact(Fact{What: Stopped}) }},
	{`the file is gone from the disk`, func(s *scenario, _ []string) { s.fact(Fact{What: Broken}) }},
	{`the recorded party hangs up`, func(s *scenario, _ []string) { s.fact(Fact{What: HungUp}) }},
	{`the call becomes part of another one`, func(s *scenario, _ []string) { s.dissolved = true; s.fact(Fact{What: Dissolved}) }},
	{`FreeSWITCH can be reached again`, func(s *scenario, _ []string) { s.fact(Fact{What: Reconnected}) }},
	{`it is time to try again`, func(s *scenario, _ []string) { s.fact(Fact{What: Reconnected}) }},
	{`FreeSWITCH has done it`, func(s *scenario, _ []string) { s.reply(Done) }},
	{`FreeSWITCH refuses`, func(s *scenario, _ []string) { s.reply(Refused) }},
	{`FreeSWITCH knows no such recording`, func(s *scenario, _ []string) { s.reply(Missing) }},
	{`no reply comes`, func(s *scenario, _ []string) { s.reply(Unanswered) }},
	{`the command cannot be sent`, func(s *scenario, _ []string) { s.reply(Unsent) }},
	{`(\w+) presses the code`, func(s *scenario, w []string) { s.press(w[0], DTMF, Turn) }},
	{`the outside party presses the code`, func(s *scenario, _ []string) { s.press("", DTMF, Turn) }},
	{`(\w+) transfers the call to the code`, func(s *scenario, w []string) { s.press(w[0], BlindTransfer, Turn) }},
	{`(\w+) presses Record: on`, func(s *scenario, w []string) { s.press(w[0], RecordKey, TurnOn) }},
	{`(\w+) presses Record: off`, func(s *scenario, w []string) { s.press(w[0], RecordKey, TurnOff) }},
	{`(\w+) pauses by the API`, func(s *scenario, w []string) { s.press(w[0], API, TurnOff) }},
	{`(\w+) resumes by the API`, func(s *scenario, w []string) { s.press(w[0], API, TurnOn) }},
	{`the pause has lasted as long as auto_resume says`, func(s *scenario, _ []string) { s.fact(Fact{What: Pressed, Ask: TurnOn}) }},
	{`the press is taken back, and nobody has pressed`, func(s *scenario, _ []string) { s.fact(Fact{What: Stands}) }},
	{`the press is taken back, and the pause lasts`, func(s *scenario, _ []string) { s.fact(Fact{What: Stands, Person: TurnedOff}) }},
	{`the pause has lasted as long as auto_resume says, and the call is locked`, func(s *scenario, _ []string) { s.fact(Fact{What: Stands}) }},
	{`the Tapedeck before has obeyed a press: paused`, func(s *scenario, _ []string) { s.fact(Fact{What: Stands, Person: TurnedOff}) }},
	{`another Tapedeck takes the call over, and FreeSWITCH is recording`, func(s *scenario, _ []string) { s.takeover(true) }},
	{`another Tapedeck takes the call over, and nothing is being recorded`, func(s *scenario, _ []string) { s.takeover(false) }},
}

// take takes one step and leaves what came of it in output.
func (s *scenario) take(step string) {
	s.t.Helper()
	s.output, s.acted = nil, false
	before := s.describe()
	for _, known := range sentences {
		if m := regexp.MustCompile("^" + known.pattern + "$").FindStringSubmatch(step); m != nil {
			taken[known.pattern] = true
			known.do(s, m[1:])
			if after := s.describe(); after != before || s.acted {
				s.print("%s", after)
			} else {
				s.print("nothing changes")
			}
			return
		}
	}
	s.t.Fatalf("no step is called %q", step)
}

func (s *scenario) print(format string, args ...any) {
	s.output = append(s.output, fmt.Sprintf(format, args...))
}

// describe is the state in a line.
func (s *scenario) describe() string {
	text := fmt.Sprintf("state %s: wanted is %s, the file is %s", s.state.Status(), s.state.Wish(), s.state.File)
	if s.state.File == NoFile {
		text = fmt.Sprintf("state %s: wanted is %s, there is no file", s.state.Status(), s.state.Wish())
	}
	if s.state.Pending != None {
		text += ", a reply is awaited"
	}
	if s.state.Held {
		text += ", nothing more is tried for now"
	}
	if s.state.Gone {
		text += ", the call is over"
	}
	return text
}

// fact hands a fact to Next and prints the commands and the problems that come of
// it.
func (s *scenario) fact(f Fact) {
	next, commands := Next(s.state, f)
	for _, name := range (next.Problems &^ s.state.Problems).Names() {
		s.print("problem: %s", name)
	}
	for _, c := range commands {
		s.print("command: %s", c)
		s.acted = true
	}
	s.state = next
}

// reply is the fate of the command that was sent last.
func (s *scenario) reply(what What) {
	s.t.Helper()
	if s.state.Pending == None {
		s.t.Fatal("a reply comes, and no command is on its way")
	}
	s.fact(Fact{What: what, Command: s.state.Pending})
}

func (s *scenario) begins(d flow.Direction, elements ...string) {
	s.direction = d
	for _, text := range elements {
		e := element(s.t, text)
		if e.Kind == flow.User {
			s.caller = e
		}
		s.enters(e)
	}
	s.resolve()
}

func element(t *testing.T, text string) flow.Element {
	t.Helper()
	e, err := flow.ParseElement(text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// enters adds an element to the chain.
func (s *scenario) enters(e flow.Element) {
	in, ok := s.org.Inheritance(e)
	if !ok {
		in = s.org.Unknown(e)
	}
	step := in.Step(s.direction)
	s.chain = append(s.chain, step)
	s.fresh = s.fresh || step.Setting != flow.DontCare
}

// joins is a user who comes on the call: the users before him go, but not an
// internal call's caller (docs/design.md, section 2, rule 4).
func (s *scenario) joins(user string) {
	s.ringing = nil
	s.chain = slices.DeleteFunc(s.chain, func(step flow.Step) bool {
		return step.Element.Kind == flow.User && step.Element != s.caller
	})
	s.enters(flow.Element{Kind: flow.User, ID: user})
	s.resolve()
}

// resolve walks the chain and hands toggle what it says, if that is news.
func (s *scenario) resolve() {
	if s.dissolved {
		return
	}
	e := s.effective()
	if x := flow.Explain(s.org.Precedence, s.org.Recording, s.chain); x.Verdict != s.verdict {
		s.verdict = x.Verdict
		s.print("the settings: %s", x.Verdict)
	}
	f := Fact{What: Chain, On: e.On, Guard: e.CouldEnd(s.org.Precedence, s.coming()), Fresh: s.fresh, Sticky: s.org.OnDemand.StickyPause}
	s.fresh = false
	if f.Guard && e.On && !s.chained.Guard {
		s.print("somebody who may answer does not want to be recorded")
	}
	if f != s.chained {
		s.chained = f
		s.fact(f)
	}
}

func (s *scenario) effective() flow.Effective {
	if !s.org.Recording {
		return flow.Effective{}
	}
	return flow.Resolve(s.org.Precedence, s.chain)
}

// coming is the settings of those who may come on the call next: before the answer
// any user of the organisation, later those whose phones ring.
func (s *scenario) coming() (set flow.SettingSet) {
	if !s.state.Answered && s.direction != flow.Outbound {
		return s.org.Unknown(flow.Element{}).Ahead[s.direction]
	}
	for _, user := range s.ringing {
		if settings, ok := s.org.Settings(flow.Element{Kind: flow.User, ID: user}); ok {
			set.Add(settings[s.direction])
		}
	}
	return set
}

// press is a press, if it is obeyed ("" is nobody's phone in the organisation).
func (s *scenario) press(user string, m Method, a Ask) {
	if refusal := Permit(s.org, user, m, s.effective()); refusal != Permitted {
		s.print("refused: %s", string(refusal))
		return
	}
	s.fact(Fact{What: Pressed, Ask: a})
}

// takeover is another Tapedeck's start with the call: it knows what was written
// down, and FreeSWITCH tells it whether the recording runs.
func (s *scenario) takeover(runs bool) {
	before := s.state.Problems
	s.state = s.state.Adopted(s.state.Answered, runs)
	for _, name := range (s.state.Problems &^ before).Names() {
		s.print("problem: %s", name)
	}
	s.fact(Fact{What: Reconnected})
}
