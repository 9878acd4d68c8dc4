package call

import "tapedeck/esl"

// A FreeSWITCH is believed about its own legs alone. One that somebody has taken over, or
// another one that answers on the address of its own, can write any event.

// Headers of events that name legs, and calls.
var (
	legHeaders  = []string{"Unique-ID", "Bridge-A-Unique-ID", "Bridge-B-Unique-ID", "Tapedeck-Leg"}
	callHeaders = []string{"variable_tapedeck_call", "Recording-Variable-tapedeck_call", "Tapedeck-Call"}
)

// foreign are the events that are not believed.
type foreign struct{ ctl *Controller }

// has reports whether an event is by another FreeSWITCH than the switch on whose link it
// came, or about a leg, a call or a room of another switch.
func (f foreign) has(switchName string, ev *esl.Event) bool {
	ctl := f.ctl
	if of, known := ctl.switches.cores[ev.Get("Core-UUID")]; of != switchName && (known || ctl.switches.isKnown(switchName)) {
		return true
	}
	elsewhere := func(name string) bool { return name != "" && name != switchName }
	for _, header := range legHeaders {
		if l := ctl.legs.get(ev.Get(header)); l != nil && elsewhere(l.switchName) {
			return true
		}
	}
	for _, header := range callHeaders {
		if c := (talks{ctl}).followed(ev.Get(header)); c != nil && elsewhere(c.line.switchName) {
			return true
		}
	}
	if m := ctl.legs.rooms[ev.Get("Conference-Unique-ID")]; m != nil {
		l := ctl.legs.get(m.members[0])
		return l != nil && elsewhere(l.switchName)
	}
	return false
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
