package flow

import (
	"fmt"
	"strings"
)

// Explanation says how a call's state comes about, element by element.
type Explanation struct {
	Precedence Precedence `json:"precedence"`
	Recording  bool       `json:"recording"` // the organisation's
	Lines      []Line     `json:"chain"`
	Recorded   bool       `json:"recorded"`
	Locked     bool       `json:"locked"`
	Decider    Element    `json:"decider"` // the zero Element: no element has an explicit setting, or the organisation has no recording
	Verdict    string     `json:"verdict"`
}

// Line is one element of the chain: its setting, what the setting did, and the state
// after it.
type Line struct {
	Element Element `json:"element"`
	Setting Setting `json:"setting"`
	Effect  string  `json:"effect"`
	On      bool    `json:"on"`
	Locked  bool    `json:"locked"`
}

const notForOrganisation = "the organisation has recording: false"

// Explain walks the chain as Resolve does and says what each element did.
// recording is the organisation's: if it is false, no element counts (docs/design.md,
// section 2, rule 5).
func Explain(p Precedence, recording bool, chain Chain) Explanation {
	x := Explanation{Precedence: p, Recording: recording, Lines: make([]Line, 0, len(chain))}
	var e Effective
	for _, step := range chain {
		effect := "changes nothing: " + notForOrganisation
		if recording {
			next := e.after(p, step)
			effect = effectOf(p, e, next, step)
			e = next
		}
		x.Lines = append(x.Lines, Line{step.Element, step.Setting, effect, e.On, e.Locked})
	}
	x.Recorded, x.Locked, x.Decider = e.On, e.Locked, e.Decider
	x.Verdict = verdict(recording, e)
	return x
}

// effectOf says what a step did. before and after are the states around it.
func effectOf(p Precedence, before, after Effective, step Step) string {
	lock := step.Setting == Force || step.Setting == Never
	switch {
	case step.Setting == DontCare:
		return "changes nothing: dont-care"
	case !lock && before.Locked:
		return fmt.Sprintf("changes nothing: locked by %s (%s)", before.Decider, before.Setting)
	case !lock && p == First && before.Setting != DontCare:
		return fmt.Sprintf("changes nothing: first explicit setting was %s (%s)", before.Decider, before.Setting)
	}
	state := "off"
	if after.On {
		state = "on"
	}
	verb := "keeps"
	if after.On != before.On {
		verb = "turns"
	}
	effect := verb + " recording " + state
	if after.Locked {
		effect += " and locks it"
	}
	return effect
}

func verdict(recording bool, e Effective) string {
	switch {
	case !recording:
		return "not recorded, because " + notForOrganisation
	case e.Setting == DontCare:
		return "not recorded, because no element says yes or force"
	case e.On:
		return fmt.Sprintf("recorded, because %s says %s", e.Decider, e.Setting)
	}
	return fmt.Sprintf("not recorded, because %s says %s", e.Decider, e.Setting)
}

// String is the explanation for people: a line for each element, and the verdict.
func (x Explanation) String() string {
	element, setting := 0, 0
	for _, l := range x.Lines {
		element = max(element, len(l.Element.String()))
		setting = max(setting, len(l.Setting.String()))
	}
	var b strings.Builder
	for _, l := range x.Lines {
		fmt.Fprintf(&b, "%-*s  %-*s  %s\n", element, l.Element, setting, l.Setting, l.Effect)
	}
	b.WriteString(x.Verdict + "\n")
	return b.String()
}
