package toggle

import "fmt"

// What is a kind of fact.
type What uint8

// The kinds of facts. Done, Refused, Missing, Unanswered and Unsent say what became
// of a command.
const (
	Chain       What = iota // the chain of elements has changed
	Pressed                 // a person has pressed, and may (Permit)
	Answered                // the recorded leg has answered
	Started                 // RECORD_START of the call's file
	Overdue                 // the recorded leg answered some time ago, and nothing has started
	Done                    // FreeSWITCH has carried the command out
	Refused                 // FreeSWITCH has refused it
	Missing                 // FreeSWITCH says that it has no such recording or channel
	Unanswered              // no reply came: whether it was carried out is not known
	Reconnected             // commands can be sent again, or it is time for another attempt
	Stopped                 // RECORD_STOP of the call's file
	HungUp                  // the recorded leg has hung up
	Broken                  // the file on the disk is gone, or does not grow
	Stands                  // Person is what counts now: a press was taken back, or another instance has obeyed one
	Unsent                  // it could not be sent: FreeSWITCH does not know of it
	Dissolved               // the call has become part of another one: its file ends. No wish comes after it
)

var whatNames = [...]string{"chain", "pressed", "answered", "started", "overdue", "done", "refused", "missing",
	"unanswered", "reconnected", "stopped", "hung up", "broken", "stands", "unsent", "dissolved"}

// Ask is what a person asked for.
type Ask uint8

// Turn turns the state over. TurnOn and TurnOff state what is wanted, and change
// nothing when that is so already (docs/design.md, section 2, rule 6).
const (
	Turn Ask = iota
	TurnOn
	TurnOff
)

var askNames = [...]string{"turn over", "turn on", "turn off"}

func (a Ask) String() string { return askNames[a] }

// Fact is something that happened.
type Fact struct {
	What    What
	On      bool    // Chain: what the chain says now
	Guard   bool    // Chain: a user who may join could turn the recording off
	Fresh   bool    // Chain: an element with an explicit setting was entered
	Sticky  bool    // Chain: a person's pause outlasts such an element (sticky_pause)
	Ask     Ask     // Pressed
	Person  Person  // Stands
	Command Command // Done, Refused, Missing, Unanswered and Unsent
}

// String writes the fact as the transition table has it.
func (f Fact) String() string {
	switch f.What {
	case Chain:
		text := "chain off"
		if f.On {
			text = "chain on"
		}
		for _, flag := range []struct {
			set  bool
			name string
		}{{f.Guard, "guarded"}, {f.Fresh, "fresh"}, {f.Sticky, "sticky"}} {
			if flag.set {
				text += " " + flag.name
			}
		}
		return text
	case Pressed:
		return fmt.Sprintf("%s %s", whatNames[f.What], f.Ask)
	case Stands:
		return fmt.Sprintf("%s: %s", whatNames[f.What], f.Person)
	case Done, Refused, Missing, Unanswered, Unsent:
		return fmt.Sprintf("%s %s", f.Command, whatNames[f.What])
	}
	return whatNames[f.What]
}
