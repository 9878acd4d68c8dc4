package flow

// Step is one element that a call has passed, with the setting that it has in
// the call's direction.
type Step struct {
	Element Element `json:"element"`
	Setting Setting `json:"setting"`
}

// Chain is the elements that a call has passed, in order.
type Chain []Step

// Effective is what a chain says about its call.
type Effective struct {
	On      bool    `json:"on"`
	Locked  bool    `json:"locked"`            // set by force or never: only another of these changes it
	Decider Element `json:"decider"`           // the zero Element: nobody said anything
	Setting Setting `json:"setting,omitempty"` // what Decider said
}

// Resolve walks the chain from its start (docs/design.md, section 2, rules 1 and 2).
func Resolve(p Precedence, chain Chain) Effective {
	var e Effective
	for _, step := range chain {
		e = e.after(p, step)
	}
	return e
}

// after is the state when the call has passed one more element.
func (e Effective) after(p Precedence, step Step) Effective {
	switch step.Setting {
	case Force, Never:
		return Effective{On: step.Setting == Force, Locked: true, Decider: step.Element, Setting: step.Setting}
	case Yes, No:
		decided := e.Setting != DontCare
		if e.Locked || (p == First && decided) {
			return e
		}
		return Effective{On: step.Setting == Yes, Decider: step.Element, Setting: step.Setting}
	}
	return e
}

// CouldEnd reports whether an explicit setting of these, passed next, would
// leave the call off: one that its chain turned on, or one that a person did, for
// a new explicit setting takes back what people switched (docs/design.md, section 2,
// rule 8). Where none could, no sequence of them could either. It does not ask
// what happens when a user leaves: whoever wants to know what a transfer may
// bring asks the state of the chain without its user elements.
func (e Effective) CouldEnd(p Precedence, ahead SettingSet) bool {
	for s := range settings {
		if s != DontCare && ahead.Has(s) && !e.after(p, Step{Setting: s}).On {
			return true
		}
	}
	return false
}
