package call

import (
	"strings"
	"testing"
	"time"

	"tapedeck/esl/esltest"
	"tapedeck/flow"
	"tapedeck/flow/flowtest"
)

// strangerPolicy is policyText with everything that a stranger may try to use.
func strangerPolicy(t testing.TB) *flow.Policy {
	p := flowtest.Policy(t, strings.Replace(policyText, "private: { record: no }", "private: { record: never }", 1))
	p.Organisations["acme"].OnDemand = flow.OnDemand{DTMF: "*1", BlindTransfer: "*1", API: true}
	return p
}

// visit sends a stranger to the socket who claims to be this leg, with these variables.
// silent: he answers none of the commands that Tapedeck sends him.
func (fx *fixture) visit(leg string, silent bool, headers, variables map[string]string) (commands []string) {
	fx.Helper()
	claims := map[string]string{"Call-Direction": "inbound", "Answer-State": "answered"}
	for name, value := range headers {
		claims[name] = value
	}
	core := fx.sw.CoreUUID()
	if other, has := claims["Core-UUID"]; has {
		core = other
		delete(claims, "Core-UUID")
	}
	commands, err := esltest.Stranger{Leg: leg, Core: core, Headers: claims, Variables: variables, Silent: silent}.Visit(fx.Context(), fx.socket)
	fx.must(err)
	fx.settle()
	return commands
}

// wantRejected checks how many strangers were sent away, and that the log says so.
func (fx *fixture) wantRejected(want int) {
	fx.Helper()
	fx.until("the strangers are counted", func() bool { return fx.meter.get("rejected stranger") >= want })
	if got := fx.meter.get("rejected stranger"); got != want {
		fx.Errorf("%d strangers counted, want %d", got, want)
	}
	if want > 0 && len(fx.log.Lines("outbound connection rejected", "reason=stranger")) == 0 {
		fx.Error("the log does not tell of the stranger")
	}
}

// TestStranger: whoever connects to the outbound socket with a real leg's id changes
// nothing, whether he answers what Tapedeck sends him or not.
func TestStranger(t *testing.T) {
	for _, tc := range []struct {
		name, number string
		headers      map[string]string
		variables    map[string]string
	}{
		{"enters an element, under yes", "+442079460001", nil, map[string]string{"tapedeck_element": "ring_group/private"}},
		{"enters an element, under force", "+442079460005", nil, map[string]string{"tapedeck_element": "ring_group/private"}},
		{"is sent by nobody's blind transfer", "+442079460001", map[string]string{"Caller-Destination-Number": "*1"},
			map[string]string{"blind_transfer_uuid": "nobody"}},
		{"is sent by the user's blind transfer", "+442079460001", map[string]string{"Caller-Destination-Number": "*1"},
			map[string]string{"blind_transfer_uuid": "the user's"}},
		{"is of another organisation", "+442079460001", map[string]string{"Caller-Destination-Number": "+442079460101"},
			map[string]string{"tapedeck_org": "plain", "tapedeck_call": ""}},
		{"comes from another switch", "+442079460001", map[string]string{"Core-UUID": "c0ffee00-0000-4000-8000-000000000000"},
			map[string]string{"tapedeck_element": "ring_group/private"}},
	} {
		for _, silent := range []bool{false, true} {
			name := tc.name
			if silent {
				name += ", silent"
			}
			t.Run(name, func(t *testing.T) {
				fx := newFixtureWith(t, strangerPolicy(t))
				a := fx.inbound(tc.number)
				d := fx.ring(a, "1004")
				fx.answer(d)
				fx.wantState(a, "on")
				fx.talk(second)
				variables := map[string]string{"tapedeck_call": a.UUID(), "tapedeck_live": a.Get("tapedeck_live")}
				for name, value := range tc.variables {
					variables[name] = value
				}
				if variables["blind_transfer_uuid"] == "the user's" {
					variables["blind_transfer_uuid"] = d.UUID()
				}
				fx.visit(a.UUID(), silent, tc.headers, variables)
				fx.wantState(a, "on")
				fx.talk(second)
				fx.pressCode(d)
				fx.wantState(a, map[bool]string{true: "on", false: "paused"}[tc.number == "+442079460005"]) // as if nobody had come
				fx.pressCode(d)
				fx.wantState(a, "on")
				a.Hangup("")
				fx.settle()
				fx.wantSeconds(2, outside, dave)
				if files := fx.files(); !strings.Contains(files[0], "/acme/") {
					t.Errorf("the file is %s", files[0])
				}
			})
		}
	}
}

// TestStrangerMovesNothing: a call that nobody records is not written into the folder of
// the organisation that a stranger names.
func TestStrangerMovesNothing(t *testing.T) {
	for _, silent := range []bool{false, true} {
		fx := newFixtureWith(t, strangerPolicy(t))
		a := fx.inbound("+442079469999")
		d := fx.ring(a, "1004")
		fx.answer(d)
		for _, leg := range []*esltest.Channel{a, d} {
			fx.visit(leg.UUID(), silent, map[string]string{"Caller-Destination-Number": "+442079460101"}, map[string]string{"tapedeck_org": "plain"})
		}
		fx.talk(second)
		fx.ctl.ask(t.Context(), func(time.Time) {
			if n := len(fx.ctl.calls); n != 0 {
				t.Errorf("silent %t: %d calls are followed", silent, n)
			}
		})
		a.Hangup("")
		fx.settle()
		if files := fx.files(); len(files) != 0 {
			t.Errorf("silent %t: files %v", silent, files)
		}
	}
}

// TestStrangerIsSentAway: a leg that this FreeSWITCH does not have, and one that is said
// to be another FreeSWITCH's, are sent nothing, counted, and told in the log.
func TestStrangerIsSentAway(t *testing.T) {
	fx := newFixtureWith(t, strangerPolicy(t))
	a := fx.inbound("+442079460001")
	for i, tc := range []struct{ leg, core string }{
		{"0c7a5f40-1782-4bff-9de0-b6ba8f16e031", fx.sw.CoreUUID()},
		{"0c7a5f40-1782-4bff-9de0-b6ba8f16e031", "c0ffee00-0000-4000-8000-000000000000"},
		{a.UUID(), "c0ffee00-0000-4000-8000-000000000000"},
		{a.UUID(), ""},
	} {
		if commands := fx.visit(tc.leg, false, map[string]string{"Core-UUID": tc.core, "Caller-Destination-Number": "+442079460001"}, nil); len(commands) != 0 {
			t.Errorf("leg %s of core %s is sent %q", tc.leg, tc.core, commands)
		}
		fx.wantRejected(i + 1)
	}
	fx.ctl.ask(t.Context(), func(time.Time) {
		if n := len(fx.ctl.calls); n != 1 {
			t.Errorf("%d calls are followed", n)
		}
	})
	fx.visit(a.UUID(), true, nil, nil)
	for why, n := range map[string]int{"no leg of a FreeSWITCH of ours": 2, "its leg has another Core-UUID": 2, "its leg is not at a socket": 1} {
		fx.until("the audit log is told of it: "+why, func() bool { return fx.meter.get("stranger from 127.0.0.1: "+why) == n })
	}
}

// TestStrangerFirst: a stranger comes before the leg itself has come to the socket, and
// answers what Tapedeck sends him. The leg is recorded from its first packet on.
func TestStrangerFirst(t *testing.T) {
	for _, silent := range []bool{false, true} {
		fx := newFixtureWith(t, strangerPolicy(t))
		a := fx.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: "+442079460001", ToneHz: outside})
		fx.settle()
		fx.visit(a.UUID(), silent, map[string]string{"Caller-Destination-Number": "+442079460101", "Answer-State": "ringing"},
			map[string]string{"tapedeck_org": "plain", "tapedeck_direction": "inbound"})
		fx.enter(a)
		fx.answer(fx.ring(a, "1004"))
		fx.wantState(a, "on")
		fx.talk(second)
		a.Hangup("")
		fx.settle()
		fx.wantWritten("0s-1s 440|2200")
		if files := fx.files(); !strings.Contains(files[0], "/acme/") {
			t.Errorf("the file is %s", files[0])
		}
	}
}

// TestUnknownTransferrer: without a watch link what comes on the socket counts. All the
// same, a blind transfer by a leg that is not known changes nothing.
func TestUnknownTransferrer(t *testing.T) {
	fx := newFixtureWith(t, strangerPolicy(t))
	a := fx.inbound("+442079460001")
	d := fx.ring(a, "1004")
	fx.answer(d)
	fx.talk(second)
	fx.ctl.ask(t.Context(), func(now time.Time) {
		fx.ctl.enter(entry{leg: a.UUID(), call: a.UUID(), transferrer: "nobody", dialled: "*1"}, now)
	})
	fx.settle()
	fx.wantState(a, "on")
	fx.talk(second)
	a.Hangup("")
	fx.settle()
	fx.wantSeconds(2, outside, dave)
	if n := fx.meter.get("toggle blind_transfer not_its_user"); n != 0 {
		t.Errorf("%d presses are counted", n)
	}
}
