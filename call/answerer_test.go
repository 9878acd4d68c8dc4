package call

import (
	"strings"
	"testing"
	"time"

	"tapedeck/call/who"
	"tapedeck/esl/esltest"
	"tapedeck/recording"
)

// contact is the contact of bob's phone.
const contact = "sip:1002-0x55d2@192.168.1.20:5060;fs_nat=yes;fs_path=sip%3A1002-0x55d2%40203.0.113.5%3A40112"

// registrations is what FreeSWITCH 1.10.12 answers to `sofia xmlstatus profile
// internal reg`.
func registrations(pairs ...string) string {
	text := "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<profile>\n  <registrations>\n"
	for i := 0; i < len(pairs); i += 2 {
		text += "    <registration>\n        <call-id>x</call-id>\n        <user>" + pairs[i] + "</user>\n        <contact>&quot;\xe9&quot; &lt;" + pairs[i+1] +
			"&gt;</contact>\n        <agent>baresip</agent>\n    </registration>\n"
	}
	return text + "  </registrations>\n</profile>\n"
}

// group rings a phone as a ring group does that sets no dialed_user.
func (fx *fixture) group(a *esltest.Channel, tone int, variables map[string]string) *esltest.Channel {
	return a.Dial(esltest.Leg{Profile: "internal", Destination: "1002", ToneHz: tone, Variables: variables})
}

// registered lets the switch answer which phones are registered, and everything else
// as before.
func (fx *fixture) registered(answer string) {
	fx.sw.Fail(func(command, _ string) (string, bool) { return answer, command == "sofia" })
}

// TestGroupMember: who answers in a ring group that sets no dialed_user is known, his
// setting counts and his press is obeyed.
func TestGroupMember(t *testing.T) {
	for name, tc := range map[string]struct {
		variables map[string]string
		answer    string
	}{
		"by presence":     {map[string]string{"presence_id": "1002@acme.example.net"}, ""},
		"by registration": {map[string]string{"sip_destination_url": contact}, registrations("1002@acme.example.net", contact)},
	} {
		t.Run(name, func(t *testing.T) {
			fx := newFixtureWith(t, pressPolicy(t))
			fx.registered(tc.answer)
			a := fx.inbound("+442079460001") // yes, and bob says no
			b := fx.group(a, bob, tc.variables)
			fx.until("the user to be known", func() (known bool) {
				fx.ctl.ask(t.Context(), func(time.Time) { l := fx.ctl.legs.get(b.UUID()); known = l != nil && l.user.ID == "bob" })
				return known
			})
			fx.answer(b)
			fx.wantState(a, "off")
			fx.talk(second)
			fx.pressCode(b)
			fx.waitState(a, "on")
			fx.talk(second)
			a.Hangup("")
			fx.settle()
			fx.wantWritten("0s-1.1s -|-; 1.1s-2.1s 440|1320") // the press takes 0.1 s
			if n := fx.meter.get("unknown answer"); n != 0 {
				t.Errorf("%d unknown answers", n)
			}
		})
	}
}

// TestAnsweredWhileAsking: until FreeSWITCH has said whose phone has answered, nothing
// is heard of him; when the answer is lost, he is nobody.
func TestAnsweredWhileAsking(t *testing.T) {
	fx := newFixture(t)
	a := fx.inbound("+442079460001")
	b := fx.group(a, bob, map[string]string{"sip_destination_url": contact})
	var l *leg
	fx.until("FreeSWITCH to have answered the real question", func() (asked bool) {
		fx.ctl.ask(t.Context(), func(time.Time) {
			if l = fx.ctl.legs.get(b.UUID()); l != nil && !l.lookup.asking {
				l.lookup.asking, asked = true, true
			}
		})
		return asked
	})
	fx.settle()
	fx.answer(b)
	fx.talk(second)
	fx.wantWritten("0s-1s -|-")
	fx.ctl.ask(t.Context(), func(now time.Time) {
		answerers{fx.ctl}.known(l, who.User{Org: "acme", ID: "dave", Domain: "acme.example.net"}, now)
	})
	fx.waitState(a, "on")
	fx.talk(second)
	a.Hangup("")
	fx.wantWritten("0s-1s -|-; 1s-2s 440|1320")
}

// TestAnsweredByNobody: a leg that answers and is nobody's is told to the
// administrator once, without anybody's telephone number.
func TestAnsweredByNobody(t *testing.T) {
	atContact := map[string]string{"sip_destination_url": "sip:07700900555@192.0.2.7"}
	for name, tc := range map[string]struct {
		variables  map[string]string
		answers    int
		log        string
		registered string // what FreeSWITCH says of the address
	}{
		"an extension that the policy does not have": {map[string]string{"presence_id": "1099@acme.example.net"}, 1, "presence_id=1099@acme.example.net", ""},
		"a wrong domain":              {map[string]string{"dialed_user": "1002", "dialed_domain": "acme.example"}, 1, "dialed_user=1002@acme.example", ""},
		"an unreadable name":          {map[string]string{"presence_id": "a\nb{c@acme.example.net"}, 1, "presence_id=(unreadable)@acme.example.net", ""},
		"the voicemail":               {map[string]string{"dialed_extension": "1002", "sip_destination_url": "", "channel_name": "loopback/app=voicemail:default x 1002"}, 0, "", ""},
		"forwarded through a gateway": {map[string]string{"sip_gateway_name": "carrier", "presence_id": "07700900555@x"}, 0, "", ""},
		"forwarded without a gateway": {atContact, 0, "", registrations()},
		"forwarded without a gateway to an international number":            {map[string]string{"sip_destination_url": "sip:+447700900555@192.0.2.7"}, 0, "", registrations()},
		"a telephone number, and FreeSWITCH does not say who is registered": {atContact, 1, "sip_destination_url=(number)@192.0.2.7", "-ERR\n"},
		"a phone of another domain whose contact is a number":               {atContact, 1, "sip_destination_url=(number)@192.0.2.7", registrations("1002@elsewhere.example", "sip:07700900555@192.0.2.7")},
		"an address of a few digits":                                        {map[string]string{"sip_destination_url": "sip:1002@192.0.2.7"}, 1, "sip_destination_url=1002@192.0.2.7", registrations()},
	} {
		t.Run(name, func(t *testing.T) {
			fx := newFixture(t)
			fx.registered(tc.registered)
			a := fx.inbound("+442079460001")
			fx.answer(fx.group(a, bob, tc.variables))
			fx.until("the answer to be counted", func() bool { return fx.meter.get("unknown answer") >= tc.answers })
			fx.settle()
			notes := fx.notes(a, recording.NoteUnknown)
			lines := fx.log.Lines("answered by nobody")
			if n := fx.meter.get("unknown answer"); n != tc.answers || len(lines) != tc.answers || len(notes) != tc.answers {
				t.Fatalf("counted %d, logged %d, noted %d: want %d", n, len(lines), len(notes), tc.answers)
			}
			for i, line := range lines {
				if !strings.Contains(line, tc.log) || !strings.Contains(line, "level=WARN") || !strings.Contains(notes[i].Result, tc.log) {
					t.Errorf("log %q\nnote %q\nwant %s", line, notes[i].Result, tc.log)
				}
				if strings.Contains(line, "0770090") || strings.Contains(notes[i].Result, "0770090") {
					t.Errorf("a telephone number: %q", line)
				}
			}
			fx.wantState(a, "on")
		})
	}
}
