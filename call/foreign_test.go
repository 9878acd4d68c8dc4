package call

import (
	"context"
	"strings"
	"testing"
	"time"

	"tapedeck/esl"
	"tapedeck/esl/esltest"
)

// another is a second FreeSWITCH whose events arrive as those of the switch with this name.
// taken has a value for each that has arrived.
func (fx *fixture) another(name string) (sw *esltest.Switch, link *esl.Link, taken chan struct{}) {
	fx.Helper()
	sw = esltest.New(esltest.Options{Name: "another", Clock: esltest.Manual})
	address, err := sw.Listen("127.0.0.1:0")
	fx.must(err)
	taken = make(chan struct{}, 100)
	link = &esl.Link{Name: name, Address: address, Password: esl.NewSecret("ClueCon"), Subscribe: Events}
	connected := make(chan struct{}, 1)
	link.OnConnect = func(context.Context, *esl.Conn) error { connected <- struct{}{}; return nil }
	link.OnEvent = func(ev *esl.Event) { fx.ctl.Watched(name, ev); taken <- struct{}{} }
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = link.Run(ctx) }()
	fx.Cleanup(func() { stop(); <-ended; _ = sw.Close() })
	<-connected
	return sw, link, taken
}

// TestEventsOfAnotherSwitch: a FreeSWITCH that is hostile, and one that answers in another's
// place, change nothing in a call that they do not have. "as itself" has its own watch link;
// "in its place" sends on the link of the call's switch, with a Core-UUID of its own.
func TestEventsOfAnotherSwitch(t *testing.T) {
	header := func(name, value string) esl.Header { return esl.Header{Name: name, Value: value} }
	type events func(a, d *esltest.Channel) []esl.Header
	for _, tc := range []struct {
		name, event string
		headers     events
	}{
		{"hangs the leg up", "CHANNEL_HANGUP_COMPLETE", func(a, _ *esltest.Channel) []esl.Header {
			return []esl.Header{header("Unique-ID", a.UUID()), header("Answer-State", "hangup")}
		}},
		{"presses the user's code", "CUSTOM", func(_, d *esltest.Channel) []esl.Header {
			return []esl.Header{header("Event-Subclass", toggleSubclass), header("Unique-ID", d.UUID())}
		}},
		{"bridges the leg with one of its own", "CHANNEL_BRIDGE", func(a, _ *esltest.Channel) []esl.Header {
			return []esl.Header{header("Unique-ID", a.UUID()), header("Bridge-A-Unique-ID", a.UUID()), header("Bridge-B-Unique-ID", "0c7a5f40-1782-4bff-9de0-b6ba8f16e031")}
		}},
		{"bridges one of its own with the leg", "CHANNEL_BRIDGE", func(a, _ *esltest.Channel) []esl.Header {
			return []esl.Header{header("Unique-ID", "0c7a5f40-1782-4bff-9de0-b6ba8f16e031"), header("Bridge-A-Unique-ID", "0c7a5f40-1782-4bff-9de0-b6ba8f16e031"), header("Bridge-B-Unique-ID", a.UUID())}
		}},
		{"ends the bridge", "CHANNEL_UNBRIDGE", func(a, d *esltest.Channel) []esl.Header {
			return []esl.Header{header("Unique-ID", "x"), header("Bridge-A-Unique-ID", a.UUID()), header("Bridge-B-Unique-ID", d.UUID())}
		}},
		{"enters an element", "CUSTOM", func(a, _ *esltest.Channel) []esl.Header {
			return []esl.Header{header("Event-Subclass", enteredSubclass), header("Unique-ID", a.UUID()), header("variable_tapedeck_call", a.UUID()),
				header("variable_tapedeck_live", a.Get("tapedeck_live")), header("variable_tapedeck_element", "ring_group/private")}
		}},
		{"has a leg of the call that enters an element", "CUSTOM", func(a, _ *esltest.Channel) []esl.Header {
			return []esl.Header{header("Event-Subclass", enteredSubclass), header("Unique-ID", "x"), header("variable_tapedeck_call", a.UUID()),
				header("variable_tapedeck_live", a.Get("tapedeck_live")), header("variable_tapedeck_element", "ring_group/private")}
		}},
		{"takes the call over", "CUSTOM", func(a, _ *esltest.Channel) []esl.Header {
			return []esl.Header{header("Event-Subclass", adoptedSubclass), header("Tapedeck-Call", a.UUID()), header("Tapedeck-Owner", "nobody"), header("Tapedeck-Token", "99")}
		}},
		{"ends the file", "RECORD_STOP", func(a, _ *esltest.Channel) []esl.Header {
			return []esl.Header{header("Unique-ID", "x"), header("Recording-Variable-tapedeck_call", a.UUID()), header("Record-File-Path", a.Get("tapedeck_file"))}
		}},
		{"lets the phone of one who says never ring", "CHANNEL_CREATE", func(a, _ *esltest.Channel) []esl.Header {
			return []esl.Header{header("Unique-ID", "x"), header("Call-Direction", "outbound"), header("variable_tapedeck_call", a.UUID()),
				header("variable_dialed_user", "1002"), header("variable_dialed_domain", "acme.example.net")}
		}},
	} {
		for how, as := range map[string]string{"as itself": "fs2", "in its place": "fs1"} {
			t.Run(tc.name+", "+how, func(t *testing.T) {
				fx := newFixtureWith(t, strangerPolicy(t))
				_, link, taken := fx.another(as)
				a := fx.inbound("+442079460001")
				d := fx.ring(a, "1004")
				fx.answer(d)
				fx.wantState(a, "on")
				fx.talk(second)
				_, err := link.Send(t.Context(), esl.SendEvent(tc.event, tc.headers(a, d)...))
				fx.must(err)
				<-taken
				fx.settle()
				fx.wantState(a, "on")
				fx.talk(second)
				fx.pressCode(d)
				fx.wantState(a, "paused") // as if nobody had said anything
				fx.pressCode(d)
				a.Hangup("")
				fx.settle()
				fx.wantSeconds(2, outside, dave)
				fx.ctl.ask(t.Context(), func(time.Time) {
					if len(fx.ctl.calls) != 0 || fx.ctl.legs.get(a.UUID()) != nil || fx.ctl.legs.get("x") != nil {
						t.Error("a call or a leg is left")
					}
				})
				if len(fx.log.Lines("event not believed: another FreeSWITCH sent it, or has its leg. Do two names in switches: have the same FreeSWITCH?", "switch="+as)) != 1 {
					t.Error("the log does not tell of it")
				}
			})
		}
	}
}

// TestSurveyOfAnotherSwitch: a FreeSWITCH that is hostile, and connects anew, lists legs that
// belong to another one's call and room. They are not believed.
func TestSurveyOfAnotherSwitch(t *testing.T) {
	fx := newFixtureWith(t, strangerPolicy(t))
	sw, link, _ := fx.another("fs2")
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.wantState(a, "on")
	x := sw.Incoming(esltest.Leg{Number: "07700900123", Destination: "+442079460001", Variables: map[string]string{"tapedeck_call": a.UUID()}})
	x.Dial(esltest.Leg{Destination: "1002", Variables: map[string]string{"tapedeck_call": a.UUID(), "dialed_user": "1002", "dialed_domain": "acme.example.net"}})
	fx.must(fx.ctl.Connected(t.Context(), "fs2", link))
	fx.ctl.ask(t.Context(), func(time.Time) {
		for uuid, l := range fx.ctl.legs.all {
			if l.call == a.UUID() && uuid != a.UUID() && uuid != d.UUID() {
				t.Errorf("leg %s is on the call", uuid)
			}
		}
	})
	fx.settle()
	fx.wantState(a, "on")
	a.Hangup("")
}

// TestCoreOfAnotherSwitch: a FreeSWITCH that says that it is another one is not followed, and
// the other one's events go on to be believed.
func TestCoreOfAnotherSwitch(t *testing.T) {
	fx := newFixture(t)
	link := fx.ctl.cfg.Switches["fs1"]
	if err := fx.ctl.Connected(t.Context(), "fs2", link); err == nil || !strings.Contains(err.Error(), "switch fs2 has the Core-UUID of switch fs1") {
		t.Errorf("%v", err)
	}
	a := fx.inbound("+442079460001")
	fx.answer(fx.ring(a, "1004"))
	fx.wantState(a, "on")
	a.Hangup("")
	fx.settle()
	if fx.log.Lines("event not believed") != nil {
		t.Error("events of fs1 are not believed")
	}
}
