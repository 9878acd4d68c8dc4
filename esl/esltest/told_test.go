package esltest_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tapedeck/esl/esltest"
)

// TestTold: what a product tells the legs, and whether the switch finds it untrue at once
// (while a command runs), only when the product is at rest, or not at all.
func TestTold(t *testing.T) {
	const never, atRest, atOnce = "", "at rest", "at once"
	type stage struct {
		sw    *esltest.Switch
		l     *link
		a, b  *esltest.Channel
		file  string
		sound func(name string) string
	}
	state := func(s stage, c *esltest.Channel, value string) {
		s.l.ask("api uuid_setvar " + c.UUID() + " tapedeck_state " + value)
	}
	record := func(s stage, verb string) { s.l.ask("api uuid_record " + s.a.UUID() + " " + verb + " " + s.file) }
	prompt := func(s stage, name string) {
		s.l.ask("api uuid_displace " + s.b.UUID() + " start " + s.sound(name) + " 0 mux")
	}
	started := func(s stage) { state(s, s.a, "on"); state(s, s.b, "on"); record(s, "start") }
	paused := func(s stage) { started(s); record(s, "mask"); state(s, s.a, "paused"); state(s, s.b, "paused") }
	resumed := func(s stage) { state(s, s.a, "on"); state(s, s.b, "on"); record(s, "unmask") }
	for _, tc := range []struct {
		name, want string
		say        string // in the report
		do         func(stage)
	}{
		{"on before the start", never, "", started},
		{"off after the mask", never, "", paused},
		{"on before the unmask", never, "", func(s stage) { paused(s); resumed(s) }},
		{"nothing before the start", atOnce, `tapedeck_state of leg A is ""`, func(s stage) { record(s, "start") }},
		{"not the other leg before the start", atOnce, `tapedeck_state of leg B is ""`, func(s stage) { state(s, s.a, "on"); record(s, "start") }},
		{"paused before the mask", atOnce, `tapedeck_state of leg B is "paused"`, func(s stage) { started(s); state(s, s.b, "paused") }},
		{"on after the unmask", atOnce, `tapedeck_state of leg A is "paused"`, func(s stage) { paused(s); record(s, "unmask") }},
		{"a recording that the switch begins", atRest, `tapedeck_state of leg A is ""`, func(s stage) { _ = s.a.Execute("record_session", s.file) }},
		{"a recording that the switch begins, and is told", never, "", func(s stage) {
			_ = s.a.Execute("record_session", s.file)
			state(s, s.a, "on")
			state(s, s.b, "on")
		}},
		{"a transfer", atRest, `tapedeck_state of leg C is ""`, func(s stage) {
			started(s)
			s.b.BlindTransfer("1002")
			s.a.Dial(esltest.Leg{UUID: "C", Profile: "internal", Destination: "1002"}).Answer()
		}},
		{"a room", atRest, `tapedeck_state of leg C is ""`, func(s stage) {
			started(s)
			s.b.BlindTransfer("3000")
			s.a.Conference("3000")
			s.sw.Incoming(esltest.Leg{UUID: "C"}).Conference("3000")
		}},
		{"a listener", atRest, `tapedeck_state of leg C is ""`, func(s stage) {
			started(s)
			s.sw.Incoming(esltest.Leg{UUID: "C"}).Eavesdrop("eavesdrop", s.b)
		}},
		{"Recorded when it is masked", never, "", func(s stage) { paused(s); prompt(s, "recorded") }},
		{"Recorded before it is masked", atOnce, `leg B is told "recorded.wav"`, func(s stage) { started(s); prompt(s, "recorded"); record(s, "mask") }},
		{"Recorded, and resumed without a word", atRest, `leg B was told "recorded.wav" last`, func(s stage) { paused(s); prompt(s, "recorded"); resumed(s) }},
		{"Recorded, resumed, Not permitted", atRest, `leg B was told "recorded.wav" last`, func(s stage) {
			paused(s)
			prompt(s, "recorded")
			resumed(s)
			prompt(s, "not-permitted")
		}},
		{"Recorded, resumed, Is being recorded", never, "", func(s stage) {
			paused(s)
			prompt(s, "recorded")
			resumed(s)
			prompt(s, "is-being-recorded")
		}},
		{"a prompt that fails", never, "", func(s stage) { started(s); s.sw.FailNext("uuid_displace", "-ERR no"); prompt(s, "recorded") }},
		{"another organisation's recording", never, "", func(s stage) {
			s.file = filepath.Join(filepath.Dir(s.file), "theirs.wav")
			started(s)
			prompt(s, "recorded")
		}},
		{"what is not the product's", never, "", func(s stage) { s.file += ".ignored"; record(s, "start") }},
		{"excused", never, "", func(s stage) { s.sw.ExcuseTold(true); record(s, "start") }},
		{"excused no more", atRest, `tapedeck_state of leg A is ""`, func(s stage) {
			s.sw.ExcuseTold(true)
			record(s, "start")
			s.sw.ExcuseTold(false)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			sounds, err := filepath.Abs("../../freeswitch-conf/sounds/en/8000")
			if err != nil {
				t.Fatal(err)
			}
			s := stage{file: filepath.Join(dir, "a.wav"), sound: func(name string) string { return filepath.Join(sounds, name+".wav") }}
			s.sw, s.l = newSwitch(t)
			s.sw.CheckTold(esltest.Told{
				Ignore:  func(path string) bool { return strings.HasSuffix(path, ".ignored") },
				Foreign: func(_ func(string) string, path string) bool { return filepath.Base(path) == "theirs.wav" },
			})
			s.a = s.sw.Incoming(esltest.Leg{UUID: "A", ToneHz: 440})
			s.b = s.a.Dial(esltest.Leg{UUID: "B", Profile: "internal", Destination: "1001", ToneHz: 880})
			s.b.Answer()
			s.sw.Untold()
			tc.do(s)
			if untrue := s.sw.TellsUntruth(); untrue != (tc.want == atRest) && tc.want != atOnce {
				t.Errorf("a leg is told something untrue: %t", untrue)
			}
			got, wrong := never, s.sw.Misled()
			if len(wrong) > 0 {
				got = atOnce
			} else if wrong = s.sw.Untold(); len(wrong) > 0 {
				got = atRest
			}
			if got != tc.want {
				t.Errorf("found %q, want %q: %q", got, tc.want, wrong)
			}
			if tc.say != "" && (len(wrong) == 0 || !strings.Contains(strings.Join(wrong, "\n"), tc.say)) {
				t.Errorf("the report does not say %q:\n%q", tc.say, wrong)
			}
		})
	}
}

// TestToldWithin: what the switch itself has changed is excused for a time, and found
// with the next event after it.
func TestToldWithin(t *testing.T) {
	sw, l := newSwitch(t)
	sw.CheckTold(esltest.Told{Within: 20 * time.Millisecond})
	a := caller(sw)
	ring(a, "1001").Answer()
	if err := a.Execute("record_session", filepath.Join(t.TempDir(), "a.wav")); err != nil {
		t.Fatal(err)
	}
	if wrong := sw.Misled(); len(wrong) > 0 {
		t.Errorf("found at once: %q", wrong)
	}
	for deadline := time.Now().Add(5 * time.Second); len(sw.Misled()) == 0; l.ask("api status") {
		if time.Now().After(deadline) {
			t.Fatal("not found")
		}
	}
	for range 3 {
		l.ask("api status")
	}
	if wrong := sw.Misled(); len(wrong) != 2 { // each leg, once
		t.Errorf("found %d times: %q", len(wrong), wrong)
	}
}
