package e2e

import (
	"slices"
	"strings"

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

// unbelieved are calls whose phones say in headers and bodies what they are not asked: that
// the call enters an element which is never recorded, and what the record key says.
func unbelieved() []scenario {
	yes := settings{numbers: map[int]string{lab.ToAlice: "yes", lab.ToDave: "yes"}, team: "never", onDemand: keyAndDigits + `, blind_transfer: "*1"`}
	desk := settings{numbers: map[int]string{lab.ToDesk: "force"}}
	return []scenario{
		{"an outside party says what it should not, in headers and bodies", yes, sipCallWith("public", "unbelieved.xml",
			map[string]string{"element": "ring_group/team"}, []string{"parts 200", "record 488"})},
		{"a record key in a part of a body", yes, keyInPart},
		{"a transfer to the code, with headers in its Refer-To", yes, refusedThriceTo(
			"?tapedeck_element=ring_group%2Fteam&X-tapedeck_element=ring_group%2Fteam&Record=on&body=Record%3A%20on")},
		{"a transfer to the code, with a Replaces in its Refer-To", yes, replacedByNobody},
		{"a caller writes a header of 100 KB", desk, verbose("X-Large: " + strings.Repeat("%\"<>", 25_000) + "\r\n")},
	}
}

// keyInPart: what is in a part of a body is no record key.
func keyInPart(t *talk) {
	phone := t.sipPhone("record-key-in-part.xml", map[string]string{"element": "ring_group/team"})
	outside := t.inbound(lab.ToDave)
	t.do(outside.Talking(t.ctx))
	anchor := t.leg(outside)
	before := t.speak(speech)
	t.says(phone, []string{"parts 200"})
	after := t.speak(speech)
	t.hasState(anchor, "on")
	t.hangUp(outside)
	r := t.recording()
	r.heard(before, only(lab.Outside), only(lab.Dave))
	r.heard(after, only(lab.Outside), only(lab.Dave))
	r.silentExactly()
	t.loggedPresses(anchor, 0)
}

// replacedByNobody: a REFER that asks for the place of a dialogue that does not exist is no
// press, and changes nothing. The channel variable behind the comma does reach the leg that
// FreeSWITCH dials then (docs/security.md).
func replacedByNobody(t *talk) {
	phone := t.sipPhone("refers-three-times.xml", map[string]string{
		"refer_to": t.suite.lab.SIPAddress(code) + "?Replaces=nobody%40127.0.0.1%3Bto-tag%3Da%3Bfrom-tag%3Db,tapedeck_call=injected"})
	outside := t.inbound(lab.ToDave)
	t.do(outside.Talking(t.ctx))
	anchor := t.leg(outside)
	whole := t.speak(speech)
	t.says(phone, slices.Repeat([]string{"notify SIP/2.0 403 Forbidden"}, 3))
	whole.to = t.speak(speech).to
	t.hasState(anchor, "on")
	t.hangUp(outside)
	_, err := phone.Finished(t.ctx)
	t.do(err)
	r := t.recording()
	r.heard(whole, only(lab.Outside), only(lab.Dave))
	r.silentExactly()
	t.loggedPresses(anchor, 0)
}

// verbose is a call with more lines in the header of its INVITE. It is recorded, and the watch
// link stays up.
func verbose(lines string) func(*talk) {
	return func(t *talk) {
		downs := len(t.suite.tapedeck.Log("link is down"))
		call, err := t.suite.lab.CallWithHeaders(t.ctx, "public", t.org.Number(lab.ToDesk), lines)
		t.do(err)
		t.speak(speech)
		t.hasState(call.Leg, "on")
		t.do(call.HangUp(t.ctx, t.suite.lab))
		t.hungUp(call.Leg)
		t.recording()
		if now := len(t.suite.tapedeck.Log("link is down")); now > downs {
			t.Error("the watch link was cut")
		}
	}
}
