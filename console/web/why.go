package web

import (
	"slices"
	"strings"

	"tapedeck/flow"
	"tapedeck/recording"
)

// whyView says step by step why a call was recorded, or not.
type whyView struct {
	Question string
	Verdict  string
	Steps    []whyStep
}

// whyStep is one event of the call that counted.
type whyStep struct {
	At     *timeView
	Kind   string // on, off, paused, person, refused or plain: its lamp
	Words  string
	Effect string
}

// whyOf makes it from the sidecar's trace. precedence is the organisation's: it says
// which effect the setting of an element had.
func whyOf(rd reader, s recording.Sidecar, precedence flow.Precedence) whyView {
	w := walk{rd: rd, precedence: precedence}
	for _, n := range s.Trace {
		w.note(n)
	}
	question := "Why was this recorded?"
	if s.File == nil {
		question = "Why should this have been recorded?"
	} else if silent(s.Spans) {
		question = "Why was this not recorded?"
	}
	return whyView{question, verdictOf(s), w.steps}
}

// verdictOf returns the reason in one sentence.
func verdictOf(s recording.Sidecar) string {
	c, because := s.Decided, "Recorded, because "
	if s.File == nil {
		because = "Wanted, because "
	} else if silent(s.Spans) {
		return silentVerdict(s.Spans)
	}
	if c.Toggle == "" && !c.Wants() { // the file began silent
		c = wanted(s.Spans)
	}
	switch {
	case c.Toggle == recording.AutoResume:
		return because + "a pause was over."
	case c.Toggle != "":
		return because + "it was asked for by " + switchedBy(c.User, c.Toggle, c.By) + "."
	case c.Element != "":
		return because + causeWords(c) + "."
	case s.RequestedBy != "":
		return because + s.RequestedBy + " asked for it."
	}
	return "What decided was not written down."
}

// silent reports whether a file holds no speech at all.
func silent(spans []recording.Span) bool {
	return len(spans) > 0 && !slices.ContainsFunc(spans, func(s recording.Span) bool { return s.State == recording.StateRecording })
}

// silentVerdict returns the reason why a file is silent: its last cause.
func silentVerdict(spans []recording.Span) string {
	var c recording.Cause
	waited := false
	for _, s := range spans {
		if s.Cause != (recording.Cause{}) {
			c, waited = s.Cause, s.State == recording.StateWaiting
		}
	}
	verdict := "Not recorded, because " + causeWords(c) + "."
	switch {
	case c == (recording.Cause{}):
		verdict = "Why it is not recorded was not written down."
	case waited, c.Awaited():
		verdict = "Not recorded, because the call ended before it was known who would answer."
	case c.Toggle != "":
		verdict = "Not recorded, because it was paused " + causeWords(c) + "."
	}
	return verdict + " The file is silent from beginning to end."
}

// wanted returns the cause of the first span with speech.
func wanted(spans []recording.Span) recording.Cause {
	if i := slices.IndexFunc(spans, func(s recording.Span) bool { return s.State == recording.StateRecording }); i >= 0 {
		return spans[i].Cause
	}
	return recording.Cause{}
}

// walk goes through a trace, and keeps the chain as it was at each note.
type walk struct {
	rd         reader
	precedence flow.Precedence
	chain      flow.Chain
	steps      []whyStep
}

func (w *walk) note(n recording.Note) {
	step := whyStep{At: w.rd.at(n.At, "clock"), Kind: "plain"}
	switch n.What {
	case recording.NoteEntered:
		w.entered(n, &step)
	case recording.NoteLeft:
		step.Words = capital(elementWords(n.Element)) + " left the call"
		step.Effect = "its setting counts no more"
		w.chain = slices.DeleteFunc(w.chain, func(s flow.Step) bool { return s.Element.String() == n.Element })
	case recording.NotePressed:
		pressedStep(n, &step)
	case recording.NoteUndone:
		step.Kind, step.Words, step.Effect = "refused", "The switch by "+switchedBy(n.User, n.Method, n.By)+" was taken back", "FreeSWITCH did not carry it out"
	case recording.NoteTold:
		toldStep(n, &step)
	case recording.NoteFile:
		step.Words = "The recording went on in a further file"
		step.Effect = n.Result
	case recording.NoteFailed:
		step.Kind, step.Words, step.Effect = "refused", "Something went wrong", n.Result
	case recording.NoteDisclaimer:
		step.Words = "The announcement was played to " + n.User
		step.Effect = n.Result
	case recording.NoteUnknown:
		step.Kind, step.Words, step.Effect = "refused", "Somebody answered whom the policy does not know", "looked up: "+n.Result
	case recording.NoteAdopted:
		step.Words = "Tapedeck took the call over again after a restart"
	case recording.NoteJoined:
		step.Words = "A user came with a call of his own"
		step.Effect = "call " + n.Call + " is part of this one from here on"
	case recording.NoteDissolved:
		step.Words = "The user came to talk in another call"
		step.Effect = "this recording ends here; it goes on as call " + n.Call
	case recording.NoteReplaced:
		step.Words = "Another phone took the outside party's place"
		step.Effect = "what was said before is in call " + n.Call
	case recording.NoteCut:
		step.Words = n.Result
	default:
		return // the page shows it in the trace alone
	}
	w.steps = append(w.steps, step)
}

// entered makes the step of an element that was entered.
func (w *walk) entered(n recording.Note, step *whyStep) {
	words, ok := settingWords[n.Setting]
	if !ok {
		words = strings.TrimSpace("says " + n.Setting)
	}
	step.Words = capital(elementWords(n.Element)) + " " + words
	e, err := flow.ParseElement(n.Element)
	setting, badSetting := flow.ParseSetting(n.Setting)
	if err != nil || badSetting != nil {
		return
	}
	w.chain = append(w.chain, flow.Step{Element: e, Setting: setting})
	x := flow.Explain(w.precedence, true, w.chain)
	last := x.Lines[len(x.Lines)-1]
	step.Effect = last.Effect
	if setting == flow.DontCare {
		step.Effect = "changes nothing"
	} else if step.Kind = "off"; last.On {
		step.Kind = "on"
	}
}

func pressedStep(n recording.Note, step *whyStep) {
	step.Kind = "person"
	if n.Method == recording.AutoResume {
		step.Words = "The longest time for a pause was over"
		return
	}
	step.Words = "Switched by " + switchedBy(n.User, n.Method, n.By)
	switch n.Result {
	case recording.ResultOK, "":
		if n.Call != "" {
			step.Effect = "in call " + n.Call + ", and it holds in this one"
		}
	case recording.ResultSwallowed:
		step.Kind, step.Effect = "refused", "it did not arrive: keys of the dialplan took it"
	case recording.ResultMissed:
		step.Kind, step.Effect = "refused", "too late: nobody listened any more"
	default:
		step.Kind, step.Effect = "refused", "refused: "+refusalOf(n.Result)
	}
}

func toldStep(n recording.Note, step *whyStep) {
	switch n.State {
	case "on":
		step.Kind, step.Words = "on", "FreeSWITCH confirmed: recording"
	case "paused":
		step.Kind, step.Words = "paused", "FreeSWITCH confirmed: paused"
	case "off":
		step.Kind, step.Words = "off", "FreeSWITCH confirmed: not recording"
	default:
		step.Words = "State " + n.State
	}
}

// capital begins a sentence with a capital letter, unless it begins with a user's id
// or a number.
func capital(words string) string {
	for _, kind := range []string{"number ", "ring group ", "user ", "application "} {
		if strings.HasPrefix(words, kind) {
			return strings.ToUpper(words[:1]) + words[1:]
		}
	}
	return words
}
