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
	Locked  bool    `json:"locked"`            // force or never has set it, and only another of these changes it
	Decider Element `json:"decider"`           // the zero Element: no element has an explicit setting
	Setting Setting `json:"setting,omitempty"` // Decider's
}

// Resolve walks the chain from its start (docs/design.md, section 2, rules 1 and 2).
func Resolve(p Precedence, chain Chain) Effective {
	var e Effective
	for _, step := range chain {
		e = e.after(p, step)
	}
	return e
}

// after is the state after one more element.
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

// CouldEnd reports whether one of these settings, if the call passed an element with
// it next, would leave the call off. That also holds for a call that a person turned
// on, because a new explicit setting takes back what people pressed (docs/design.md,
// section 2, rule 8). If no single setting could, no sequence of them could either.
// It does not look at users who leave: to know what a transfer may bring, ask the
// state of the chain without its users.
func (e Effective) CouldEnd(p Precedence, ahead SettingSet) bool {
	for s := range settings {
		if s != DontCare && ahead.Has(s) && !e.after(p, Step{Setting: s}).On {
			return true
		}
	}
	return false
}
