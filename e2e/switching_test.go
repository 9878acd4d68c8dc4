package e2e

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/esl"
)

// near is how far a pause in the file may be from the switch that made it.
const near = 150 * time.Millisecond

// code is what users press, in every scenario.
const code = "*1"

// press lets a phone press the code and returns when FreeSWITCH told of it.
func (t *talk) press(phone *lab.Telephone) time.Time {
	t.Helper()
	leg, since := t.leg(phone), t.suite.lab.Switch.Seen()
	t.do(phone.Press(t.ctx, code))
	e, err := t.suite.lab.Switch.WaitSince(t.ctx, since, "switch of "+leg, lab.IsCustom("tapedeck::toggle", "Unique-ID", leg))
	t.do(err)
	return t.moment(e, "Event-Date-Timestamp")
}

// switches lets a phone press the code, waits until the recorded leg's state is
// told, and returns when the phone pressed.
func (t *talk) switches(phone *lab.Telephone, anchor, state string) time.Time {
	t.Helper()
	since := t.suite.lab.Switch.Seen()
	at := t.press(phone)
	t.told(since, anchor, state)
	return at
}

// recordKey is switches by the phone's record key.
func (t *talk) recordKey(phone *lab.Telephone, ask, anchor, state string) time.Time {
	t.Helper()
	since, at := t.suite.lab.Switch.Seen(), time.Now()
	t.do(phone.RecordKey(t.ctx, ask))
	t.told(since, anchor, state)
	return at
}

// told waits until other programs are told of a state, asserts that both legs
// have it in tapedeck_state, and returns when they were told.
func (t *talk) told(since int, anchor, state string) time.Time {
	t.Helper()
	e, err := t.suite.lab.Switch.WaitSince(t.ctx, since, "tapedeck::state "+state, func(e *esl.Event) bool {
		return lab.IsCustom("tapedeck::state", "Tapedeck-Anchor", anchor)(e) && e.Get("Tapedeck-State") == state
	})
	t.do(err)
	for _, header := range []string{"Tapedeck-Anchor", "Tapedeck-Peer"} {
		if leg := e.Get(header); leg != "" {
			t.hasState(leg, state)
		}
	}
	return t.moment(e, "Event-Date-Timestamp")
}

func (t *talk) hasState(leg, state string) {
	t.Helper()
	if got, err := t.suite.lab.Switch.API(t.ctx, "uuid_getvar", leg+" tapedeck_state"); err != nil || got != state {
		t.Errorf("tapedeck_state of a leg is %q, %v; want %q", got, err, state)
	}
}

// refused lets a phone press the code and waits until its user has heard that it
// is not permitted; why is what Tapedeck logs for the call.
func (t *talk) refused(phone *lab.Telephone, call, why string) {
	t.Helper()
	leg, since := t.leg(phone), t.suite.lab.Switch.Seen()
	t.press(phone)
	_, err := t.suite.lab.Switch.WaitSince(t.ctx, since, "end of the prompt", func(e *esl.Event) bool {
		return lab.Is("MEDIA_BUG_STOP", leg)(e) && strings.HasSuffix(e.Get("Media-Bug-Target"), "/not-permitted.wav")
	})
	t.do(err)
	if lines := t.suite.tapedeck.Log("call=" + call + " "); !mentions(lines, "method=dtmf ask=\"turn over\" result="+why) {
		t.Errorf("the log does not say that the switch was refused because of %s: %q", why, lines)
	}
}

// silentExactly asserts that there is no sound in these stretches and that there
// is everywhere else.
func (r take) silentExactly(pauses ...stretch) {
	r.Helper()
	found := r.Silences(near)
	if len(found) != len(pauses) {
		r.Errorf("the file is silent in %v, want %d pauses: %s", found, len(pauses), r.Sound)
		return
	}
	for i, p := range pauses {
		from, to := p.from.Sub(r.began), p.to.Sub(r.began)
		slip := near + noise.Between(p.from.Add(-near), p.from.Add(near)) + noise.Between(p.to.Add(-near), p.to.Add(near))
		if early, late := found[i][0]-from, found[i][1]-to; early.Abs() > slip || late.Abs() > slip {
			r.Errorf("pause %d is from %v to %v, want %v to %v: off by %v and %v", i+1, found[i][0], found[i][1], from, to, early, late)
		}
		r.suite.paused(found[i][0]-from, found[i][1]-to)
	}
}

// ear is what a telephone hears, from some moment of its call on.
type ear struct {
	*talk
	phone *lab.Telephone
	path  string
	sound *lab.Sound
	began time.Time
}

func (t *talk) listensAt(phone *lab.Telephone) *ear {
	t.Helper()
	path, err := phone.Listen(t.ctx)
	t.do(err)
	return &ear{talk: t, phone: phone, path: path}
}

// hear reads what was heard, after the call.
func (e *ear) hear() {
	e.Helper()
	if e.sound == nil {
		var err error
		e.sound, e.began, err = e.phone.Listened(e.ctx, e.path)
		e.do(err)
		e.Logf("a telephone heard %s", e.sound)
	}
}

// A prompt is there at the loudness of its file. Some sound like others in part.
const (
	promptThere = 0.8
	promptGone  = 0.65
	promptSoon  = 400 * time.Millisecond // from a switch to the prompt's first sound
)

// prompt asserts that a prompt of a language was heard, and soon after a moment.
func (e *ear) prompt(language, name string, since time.Time) {
	e.Helper()
	e.hear()
	p := e.readPrompt(language, name)
	soonest := since.Sub(e.began) + p.Offset - near
	if _, loudness := e.sound.HoldsBetween(1, p, soonest, soonest+near+promptSoon+noise.Between(since, since.Add(promptSoon))); loudness >= promptThere {
		return
	}
	at, loudness := e.sound.Holds(1, p)
	if loudness < promptThere {
		e.Errorf("prompt %s/%s was not heard: likest at %v with %.2f of its loudness; %s", language, name, at, loudness, e.sound)
		return
	}
	e.Errorf("prompt %s/%s was heard %v after the switch, want at once", language, name, e.began.Add(at-p.Offset).Sub(since))
}

// noPrompt asserts that none was heard.
func (e *ear) noPrompt() {
	e.Helper()
	e.hear()
	e.talk.noPrompt(e.sound, 1)
}

var allPrompts = []string{"recorded", "is-being-recorded", "not-permitted", "this-call-is-recorded", "pause-ends-soon"}

func (t *talk) noPrompt(s *lab.Sound, channels ...int) {
	t.Helper()
	for _, name := range allPrompts {
		for _, c := range channels {
			if at, loudness := s.Holds(c, t.readPrompt("en", name)); loudness > promptGone {
				t.Errorf("prompt %s is in channel %d of %s at %v with %.2f of its loudness", name, c, s, at, loudness)
			}
		}
	}
}

// noPrompts asserts that no prompt is in the file.
func (r take) noPrompts() {
	r.Helper()
	r.noPrompt(r.Sound, 1, 2)
}

func (t *talk) readPrompt(language, name string) *lab.Prompt {
	t.Helper()
	p, err := lab.ReadPrompt(filepath.Join("..", "freeswitch-conf", "sounds", language, "8000", name+".wav"))
	t.do(err)
	return p
}

// toggleEvents are the switches by digits that FreeSWITCH told of a leg.
func (t *talk) toggleEvents(leg string) []*esl.Event {
	return t.suite.lab.Switch.Events(lab.IsCustom("tapedeck::toggle", "Unique-ID", leg))
}

// noMarkers asserts that no record key's marker of these legs is left.
func (t *talk) noMarkers(legs ...string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(t.suite.tapedeck.Recordings, ".keys", "*"))
	t.do(err)
	for _, leg := range legs {
		if slices.ContainsFunc(left, func(path string) bool { return strings.Contains(path, leg) }) {
			t.Errorf("a marker of leg %s is left in %q", leg, left)
		}
	}
}
