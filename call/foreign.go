package call

import (
	"cmp"
	"fmt"

	"tapedeck/call/survey"
	"tapedeck/esl"
)

// A FreeSWITCH is believed about its own legs alone. One that somebody has taken over, or
// another one that answers on the address of its own, can write any event.

// Headers of events that name legs, and calls.
var (
	legHeaders  = []string{"Unique-ID", "Bridge-A-Unique-ID", "Bridge-B-Unique-ID", "Tapedeck-Leg"}
	callHeaders = []string{"variable_tapedeck_call", "Recording-Variable-tapedeck_call", "Tapedeck-Call"}
)

// foreign are the events that are not believed.
type foreign struct{ ctl *Controller }

// said is what a switch says of a leg or a room: an event, or channel data.
type said interface{ Get(header string) string }

// has reports whether what a switch says on its link is by another FreeSWITCH, or about a
// leg, a call or a room of another switch.
func (f foreign) has(switchName string, says said) bool {
	ctl, core := f.ctl, says.Get("Core-UUID")
	if of, known := ctl.switches.cores[core]; of != switchName && (known || ctl.switches.isKnown(switchName)) {
		return true
	}
	elsewhere := func(name, ofCore string) bool {
		return name != "" && name != switchName || name == "" && ofCore != "" && core != "" && ofCore != core
	}
	for _, header := range legHeaders {
		if l := ctl.legs.get(says.Get(header)); l != nil && elsewhere(l.switchName, l.core) {
			return true
		}
	}
	for _, header := range callHeaders {
		if c := (talks{ctl}).followed(says.Get(header)); c != nil && elsewhere(c.line.switchName, c.core) {
			return true
		}
	}
	if m := ctl.legs.rooms[cmp.Or(says.Get("Conference-Unique-ID"), says.Get("variable_conference_uuid"))]; m != nil {
		l := ctl.legs.get(m.members[0])
		return l != nil && elsewhere(l.switchName, l.core)
	}
	return false
}

// strip takes out of a survey what is not believed.
func (f foreign) strip(switchName string, s survey.Survey) {
	for uuid, data := range s.Data {
		if f.has(switchName, data) {
			s.Forget(uuid)
		}
	}
}

// isKnown reports whether the Core-UUID of a switch is known.
func (s *switches) isKnown(name string) bool {
	for _, of := range s.cores {
		if of == name {
			return true
		}
	}
	return false
}

// tell tells the administrator: of the first such event of a switch in each hour.
func (f foreign) tell(switchName string, ev *esl.Event) {
	told := &f.ctl.switches.told
	if _, lately := told.Get(switchName); lately {
		return
	}
	told.Put(switchName, struct{}{})
	f.ctl.cfg.Log.Warn("event not believed: another FreeSWITCH sent it, or has its leg. Do two names in switches: have the same FreeSWITCH?",
		"switch", switchName, "event", ev.Name(), "leg", ev.Get("Unique-ID"))
}

// isOf learns the Core-UUID of a switch. It is an error if another switch has it: then two
// names are one FreeSWITCH, or one pretends to be the other.
func (s *switches) isOf(core, name string) error {
	if of, known := s.cores[core]; known && of != name {
		return fmt.Errorf("call: switch %s has the Core-UUID of switch %s: give each FreeSWITCH one name in switches", name, of)
	}
	s.cores[core] = name
	return nil
}
