package e2e

import (
	"path/filepath"
	"slices"
	"time"

	"tapedeck/e2e/lab"
)

// earpiece records what a telephone hears, from listensAt on.
type earpiece struct {
	*talk
	phone *lab.Telephone
	path  string
	sound *lab.Sound
	began time.Time
}

func (t *talk) listensAt(phone *lab.Telephone) *earpiece {
	t.Helper()
	path, err := phone.Listen(t.ctx)
	t.do(err)
	return &earpiece{talk: t, phone: phone, path: path}
}

// load reads what was heard. It is called after the call.
func (e *earpiece) load() {
	e.Helper()
	if e.sound == nil {
		var err error
		e.sound, e.began, err = e.phone.Listened(e.ctx, e.path)
		e.do(err)
		e.Logf("a telephone heard %s", e.sound)
	}
}

// A prompt that is there has the loudness of its file. Parts of some prompts sound
// like parts of others.
const (
	promptThere = 0.8
	promptGone  = 0.65
	promptSoon  = 400 * time.Millisecond // from a press to the prompt's first sound
)

// prompt asserts that a prompt of a language was heard soon after a moment.
func (e *earpiece) prompt(language, name string, since time.Time) {
	e.Helper()
	e.load()
	p := e.readPrompt(language, name)
	soonest := since.Sub(e.began) + p.Offset - near
	if _, loudness := e.sound.HoldsBetween(1, p, soonest, soonest+near+promptSoon+noise.Between(since, since.Add(promptSoon))); loudness >= promptThere {
		return
	}
	at, loudness := e.sound.Holds(1, p)
	if loudness < promptThere {
		e.Errorf("prompt %s/%s was not heard: most alike at %v with %.2f of its loudness; %s", language, name, at, loudness, e.sound)
		return
	}
	e.Errorf("prompt %s/%s was heard %v after the press, want at once", language, name, e.began.Add(at-p.Offset).Sub(since))
}

// noPrompt asserts that no prompt was heard.
func (e *earpiece) noPrompt() {
	e.Helper()
	e.load()
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

// anyPrompt asserts that a prompt was heard soon after the moment of one of several
// periods.
func (e *earpiece) anyPrompt(language, name string, all []period, moment func(period) time.Time) {
	e.Helper()
	e.load()
	p := e.readPrompt(language, name)
	at, _ := e.sound.Holds(1, p)
	likeliest := e.began.Add(at - p.Offset)
	slices.SortFunc(all, func(a, b period) int {
		return int(likeliest.Sub(moment(a)).Abs() - likeliest.Sub(moment(b)).Abs())
	})
	e.prompt(language, name, moment(all[0]))
}
