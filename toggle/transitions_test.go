package toggle

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tapedeck/internal/testkit"
)

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
	{What: Pressed, Ask: Turn}, {What: Pressed, Ask: TurnOn}, {What: Pressed, Ask: TurnOff},
	{What: Stands}, {What: Stands, Person: TurnedOn}, {What: Stands, Person: TurnedOff}}

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
	printTable(&b, intents, nil, State.intent, func(State) string { return "" })
	b.WriteString("\n# What becomes of the file: wish, file (status);\n" +
		"# fact -> state after it => command to FreeSWITCH ! problem noted. Facts that change nothing are left out.\n")
	printTable(&b, fileFacts(), []Fact{{What: Dissolved}}, State.file, func(s State) string { return fmt.Sprintf(" (%s)", s.Status()) })
	testkit.Golden(t, "testdata/transitions.golden", b.String())
}

// printTable prints the states that facts lead to, each part of a state once. What the
// last facts lead to is not followed further: no wish comes after them.
func printTable(b *strings.Builder, facts, last []Fact, part, status func(State) string) {
	printed := map[string]bool{}
	for _, s := range reachable(facts) {
		if printed[part(s)] {
			continue
		}
		printed[part(s)] = true
		fmt.Fprintf(b, "\n%s%s\n", part(s), status(s))
		for _, f := range append(slices.Clip(facts), last...) {
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
