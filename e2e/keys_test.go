package e2e

import (
	"path/filepath"
	"slices"
	"time"

	"tapedeck/e2e/lab"
	"tapedeck/esl"
)

const keyAndDigits = `record_key: true, dtmf: "*1"`

// keys are calls during which somebody presses the phone's record key.
func keys() []scenario {
	yes := map[int]string{lab.ToAlice: "yes", lab.ToDave: "yes", lab.DirectDave: "yes"}
	return []scenario{
		{"record key on, off, on again", settings{onDemand: keyAndDigits}, keyOnOffOn},
		{"record key, off first", settings{numbers: yes, onDemand: keyAndDigits}, keyOffFirst},
		{"record key and *1 in turn", settings{numbers: yes, onDemand: keyAndDigits}, keyAndCode},
		{"record key after a blind transfer", settings{numbers: yes, onDemand: keyAndDigits}, transferredThenKey(fromOutside, blind)},
		{"record key after an attended transfer", settings{numbers: yes, onDemand: keyAndDigits}, transferredThenKey(fromOutside, attended)},
		{"outgoing, record key before and after a blind transfer", settings{alice: "yes", bob: "yes", onDemand: keyAndDigits},
			transferredThenKey(toOutside, blind)},
		{"internal, record key of both", settings{alice: "{ internal: yes }", onDemand: keyAndDigits}, keyOfBoth},
		{"record key against a lock", settings{numbers: map[int]string{lab.ToAlice: "force"}, onDemand: keyAndDigits}, refusedKey},
		{"record key where the organisation has no grant", settings{numbers: yes, onDemand: digits}, keyNotGranted},
		{"record key where the organisation has no recording", settings{off: true, onDemand: keyAndDigits}, keyNotGranted},
		{"record key of a phone, granted", settings{onDemand: keyAndDigits}, keyGranted},
		{"record key beside another recording of the user's leg", settings{numbers: yes, onDemand: keyAndDigits}, keyBesideAnother},
		{"record key, tapedeck not running", settings{numbers: yes, onDemand: keyAndDigits}, keyWithoutTapedeck},
	}
}

func keyOnOffOn(t *talk) {
	outside, alice := fromOutside(t)
	anchor, leg := t.leg(outside), t.leg(alice)
	atAlice, atOutside := t.listensAt(alice), t.listensAt(outside)
	t.speak(speech)
	on := t.recordKey(alice, "on", anchor, "on")
	first := t.speak(speech)
	pause := period{from: t.recordKey(alice, "off", anchor, "paused")}
	t.speak(speech)
	pause.to = t.recordKey(alice, "on", anchor, "on")
	second := t.speak(speech)
	t.do(alice.RecordKey(t.ctx, "on")) // it is so already: nothing happens
	third := t.speak(speech)
	t.hangUp(outside, alice)
	r := t.recording()
	if late := r.began.Sub(on); late.Abs() > near {
		t.Errorf("the file begins %v after the key", late)
	}
	r.silentExactly(pause)
	for _, s := range []period{first, second, third} {
		r.heard(s, only(lab.Outside), only(lab.Alice))
	}
	r.noPrompts()
	atAlice.anyPrompt("en", "is-being-recorded", []period{{from: on}, {from: pause.to}}, func(s period) time.Time { return s.from })
	atAlice.prompt("en", "recorded", pause.from)
	atOutside.noPrompt()
	t.noMarkers(leg, anchor)
	t.loggedPresses(anchor, 3)
}

func keyOffFirst(t *talk) {
	outside, alice := fromOutside(t)
	anchor, leg := t.leg(outside), t.leg(alice)
	before := t.speak(speech)
	pause := period{from: t.recordKey(alice, "off", anchor, "paused")}
	t.speak(speech)
	t.do(alice.RecordKey(t.ctx, "off")) // it is so already: nothing happens
	t.speak(speech / 2)
	pause.to = t.recordKey(alice, "on", anchor, "on")
	after := t.speak(speech)
	t.hangUp(outside, alice)
	r := t.recording()
	r.heardFromStart(only(lab.Outside), only(lab.Alice))
	r.silentExactly(pause)
	for _, s := range []period{before, after} {
		r.heard(s, only(lab.Outside), only(lab.Alice))
	}
	t.noMarkers(leg, anchor)
	t.loggedPresses(anchor, 2)
}

// keyBesideAnother lets somebody else record alice's leg while she presses her key.
// That recording is whole, and it goes on during her pause.
func keyBesideAnother(t *talk) {
	outside, alice := fromOutside(t)
	anchor, leg := t.leg(outside), t.leg(alice)
	path := filepath.Join(t.suite.lab.Switch.Base, "recordings", leg+".wav")
	_, err := t.suite.lab.Switch.API(t.ctx, "uuid_record", leg+" start "+path)
	t.do(err)
	began := t.moment(t.recordEvent("RECORD_START", path), "Event-Date-Timestamp")
	t.speak(speech)
	pause := period{from: t.recordKey(alice, "off", anchor, "paused")}
	t.speak(speech)
	pause.to = t.recordKey(alice, "on", anchor, "on")
	t.speak(speech)
	t.hangUp(outside, alice)
	t.recording().silentExactly(pause)
	t.recordEvent("RECORD_STOP", path)
	other, err := lab.Listen(path)
	if err != nil {
		t.Fatalf("the other recording of the leg is lost: %v", err)
	}
	if other.Length < 3*speech || len(other.Silences(near)) > 0 || other.Speaks(lab.Outside) < 3*speech-margin {
		t.Errorf("the other recording of the leg: %s, silent in %v", other, other.Silences(near))
	}
	other.Between(pause.from.Sub(began)+margin, pause.to.Sub(began)-margin, func(at time.Duration, channels []lab.Heard) {
		if !slices.Equal(channels[0], only(lab.Outside, lab.Alice)) {
			t.Errorf("at %.1f s of the other recording %v is heard; whole file: %s", at.Seconds(), channels, other)
		}
	})
	t.noMarkers(leg, anchor)
}

// keyAndCode pauses with one and resumes with the other, both ways.
func keyAndCode(t *talk) {
	outside, alice := fromOutside(t)
	anchor, leg := t.leg(outside), t.leg(alice)
	t.speak(speech)
	var pauses []period
	for i := range 4 {
		var p period
		if i%2 == 0 {
			p.from = t.pressFor(alice, anchor, "paused")
			t.speak(speech / 2)
			p.to = t.recordKey(alice, "on", anchor, "on")
		} else {
			p.from = t.recordKey(alice, "off", anchor, "paused")
			t.speak(speech / 2)
			p.to = t.pressFor(alice, anchor, "on")
		}
		pauses = append(pauses, p)
		t.speak(speech / 2)
	}
	t.hangUp(outside, alice)
	r := t.recording()
	r.silentExactly(pauses...)
	t.noMarkers(leg, anchor)
	t.loggedPresses(anchor, 8)
}

// transferredThenKey is transferredThenCode with the record key.
func transferredThenKey(begin func(*talk) (outside, alice *lab.Telephone), transfer func(*talk, *lab.Telephone) *lab.Telephone) func(*talk) {
	return func(t *talk) {
		outside, alice := begin(t)
		anchor, legs := t.leg(outside), []string{t.leg(alice)}
		t.speak(speech)
		first := period{from: t.recordKey(alice, "off", anchor, "paused")}
		t.speak(speech / 2)
		first.to = t.recordKey(alice, "on", anchor, "on")
		bob := transfer(t, alice)
		legs = append(legs, t.leg(bob))
		withBob := t.speak(speech)
		second := period{from: t.recordKey(bob, "off", anchor, "paused")}
		t.speak(speech / 2)
		second.to = t.recordKey(bob, "on", anchor, "on")
		last := t.speak(speech)
		t.hangUp(outside, bob)
		r := t.recordingOf(anchor)
		r.heard(withBob, only(lab.Outside), only(lab.Bob))
		r.heard(last, only(lab.Outside), only(lab.Bob))
		r.silentExactly(first, second)
		t.noMarkers(append(legs, anchor)...)
		t.loggedPresses(t.callOf(r), 4)
	}
}

// callOf is the call's id, which is the name of its file.
func (t *talk) callOf(r take) string {
	name := filepath.Base(r.Path)
	return name[:len(name)-len(filepath.Ext(name))]
}

func keyOfBoth(t *talk) {
	alice := t.dials(lab.UserAlice, t.org.Extension(lab.UserBob))
	bob := t.rings(lab.UserBob)
	t.pickUp(bob, alice)
	anchor, other := t.leg(alice), t.leg(bob)
	t.speak(speech)
	first := period{from: t.recordKey(alice, "off", anchor, "paused")}
	t.speak(speech / 2)
	first.to = t.recordKey(bob, "on", anchor, "on")
	t.speak(speech)
	second := period{from: t.recordKey(bob, "off", anchor, "paused")}
	t.speak(speech / 2)
	second.to = t.recordKey(alice, "on", anchor, "on")
	s := t.speak(speech)
	t.hangUp(alice, bob)
	r := t.recording()
	r.heard(s, only(lab.Alice), only(lab.Bob))
	r.silentExactly(first, second)
	t.noMarkers(anchor, other)
}

// refusedKey lets alice press the key against a lock, twice.
func refusedKey(t *talk) {
	outside, alice := fromOutside(t)
	anchor, leg := t.leg(outside), t.leg(alice)
	atAlice := t.listensAt(alice)
	t.speak(speech)
	var at []period
	for range 2 {
		since := t.suite.lab.Switch.Seen()
		at = append(at, period{from: time.Now()})
		t.do(alice.RecordKey(t.ctx, "off"))
		_, err := t.suite.lab.Switch.WaitSince(t.ctx, since, "end of the prompt", func(e *esl.Event) bool {
			return lab.Is("MEDIA_BUG_STOP", leg)(e) && filepath.Base(e.Get("Media-Bug-Target")) == "not-permitted.wav"
		})
		t.do(err)
	}
	t.hangUp(outside, alice)
	r := t.recording()
	r.silentExactly()
	atAlice.anyPrompt("en", "not-permitted", at, func(s period) time.Time { return s.from })
	t.noMarkers(leg, anchor)
}

// withDave is a call to dave, whose phone is a scenario of sipp. It returns what the
// phone logged, and the recorded leg.
func withDave(t *talk, context string, k int, scenario string, keys map[string]string, length time.Duration) (said []string, anchor string) {
	t.Helper()
	phone := t.sipPhone(scenario, keys)
	outside := t.inboundVia(context, t.org.Number(k))
	t.do(outside.Talking(t.ctx))
	t.speak(length)
	anchor = t.leg(outside)
	t.hangUp(outside)
	said, err := phone.Finished(t.ctx)
	t.do(err)
	return said, anchor
}

func keyNotGranted(t *talk) {
	said, _ := withDave(t, "public", lab.ToDave, "record-key.xml", nil, 3*speech)
	if want := []string{"on 488", "off 488"}; !slices.Equal(said, want) {
		t.Errorf("the phone's key got %q, want %q", said, want)
	}
	for _, r := range t.recordings() {
		r.silentExactly()
	}
}

func keyGranted(t *talk) {
	said, anchor := withDave(t, "public", lab.ToDave, "record-key.xml", nil, 3*speech)
	if want := []string{"on 200", "off 200"}; !slices.Equal(said, want) {
		t.Errorf("the phone's key got %q, want %q", said, want)
	}
	t.recording()
	t.loggedPresses(anchor, 2)
}

func keyWithoutTapedeck(t *talk) {
	said, _ := withDave(t, "away", lab.DirectDave, "record-key.xml", nil, 3*speech)
	if want := []string{"on 488", "off 488"}; !slices.Equal(said, want) {
		t.Errorf("the phone's key got %q, want %q", said, want)
	}
	t.noFile()
}
