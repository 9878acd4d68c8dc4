package e2e

import (
	"tapedeck/e2e/lab"
	"tapedeck/esl/esltest"
)

// strangers are calls during which somebody who is no FreeSWITCH comes to the outbound socket
// and says that he is one of their legs.
func strangers() []scenario {
	locked := settings{numbers: map[int]string{lab.ToAlice: "force"}, team: "never", onDemand: "dtmf: \"*1\", blind_transfer: \"*1\""}
	return []scenario{
		{"a stranger enters an element, under force", locked, visited(func(*talk, string, string) (headers, variables map[string]string) {
			return nil, map[string]string{"tapedeck_element": "ring_group/team"}
		})},
		{"a stranger is sent by nobody's blind transfer", yesByNumber, visited(func(*talk, string, string) (headers, variables map[string]string) {
			return map[string]string{"Caller-Destination-Number": "*1"}, map[string]string{"blind_transfer_uuid": "nobody"}
		})},
		{"a stranger is sent by the user's blind transfer", yesByNumber, visited(func(_ *talk, _, alice string) (headers, variables map[string]string) {
			return map[string]string{"Caller-Destination-Number": "*1"}, map[string]string{"blind_transfer_uuid": alice}
		})},
		{"a stranger is of another organisation", yesByNumber, visited(func(t *talk, _, _ string) (headers, variables map[string]string) {
			return nil, map[string]string{"tapedeck_org": (t.org + 1).ID(), "tapedeck_call": ""}
		})},
		{"a stranger comes from another FreeSWITCH", yesByNumber, visited(func(*talk, string, string) (headers, variables map[string]string) {
			return map[string]string{"Core-UUID": "c0ffee00-0000-4000-8000-000000000000"}, map[string]string{"tapedeck_element": "application/desk"}
		})},
	}
}

// yesByNumber records the calls to its number.
var yesByNumber = settings{numbers: map[int]string{lab.ToAlice: "yes"}, desk: "never", onDemand: "dtmf: \"*1\", blind_transfer: \"*1\""}

// visited is a call that alice answers. A stranger visits in its leg's name, twice: he answers
// what he is sent, and he does not. says is what he claims besides. He changes nothing.
func visited(says func(t *talk, anchor, alice string) (headers, variables map[string]string)) func(*talk) {
	return func(t *talk) {
		caller := t.inbound(lab.ToAlice)
		phone := t.rings(lab.UserAlice)
		t.pickUp(phone, caller)
		anchor, alice := t.leg(caller), t.leg(phone)
		before := t.speak(speech)
		core, err := t.suite.lab.Switch.API(t.ctx, "global_getvar", "core_uuid")
		t.do(err)
		live, err := t.suite.lab.Switch.API(t.ctx, "uuid_getvar", anchor+" tapedeck_live")
		t.do(err)
		for _, silent := range []bool{false, true} {
			more, variables := says(t, anchor, alice)
			s := esltest.Stranger{Leg: anchor, Core: core, Silent: silent,
				Headers:   map[string]string{"Call-Direction": "inbound", "Answer-State": "answered"},
				Variables: map[string]string{"tapedeck_call": anchor, "tapedeck_live": live}}
			for name, value := range variables {
				s.Variables[name] = value
			}
			for name, value := range more {
				if s.Headers[name] = value; name == "Core-UUID" {
					s.Core = value
					delete(s.Headers, name)
				}
			}
			_, err := s.Visit(t.ctx, t.suite.socket)
			t.do(err)
		}
		after := t.speak(speech)
		t.hasState(anchor, "on")
		t.hangUp(caller, phone)
		r := t.recording()
		r.heard(before, only(lab.Outside), only(lab.Alice))
		r.heard(after, only(lab.Outside), only(lab.Alice))
		r.silentExactly()
	}
}
