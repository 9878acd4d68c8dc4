package call

import (
	"strings"
	"testing"
	"time"

	"tapedeck/esl"
	"tapedeck/esl/esltest"
	"tapedeck/recording"
)

// dialled is the channel data of a leg that FreeSWITCH has dialled to a phone.
func dialled(pairs ...string) fakeData {
	d := fakeData{"Call-Direction": "outbound", "sip_destination_url": "sip:x@192.0.2.9:5060", "sip_from_host": "192.0.2.1"}
	for i := 0; i < len(pairs); i += 2 {
		d[pairs[i]] = pairs[i+1]
	}
	return d
}

// TestUserOf: whose phone a leg is, by what the dial string, the registration and the
// dialplan say, and by nothing that a caller or an answering phone can choose.
func TestUserOf(t *testing.T) {
	const acme, plain = "acme.example.net", "plain.example.net"
	for _, tc := range []struct {
		name string
		data fakeData
		want string // organisation/user domain
	}{
		{"user/", dialled("dialed_user", "1002", "dialed_domain", acme), "acme/bob acme.example.net"},
		{"group_call: the dial string's presence", dialled("presence_id", "1002@"+acme), "acme/bob acme.example.net"},
		{"presence with another organisation's domain", dialled("presence_id", "1001@"+plain), "plain/erin plain.example.net"},
		{"presence in nobody's domain", dialled("presence_id", "1002@elsewhere.example"), "-/-"},
		{"FusionPBX: extension and domain", dialled("dialed_extension", "1003", "domain_name", acme), "acme/carol acme.example.net"},
		{"an extension that an earlier bridge exported, without a domain", dialled("dialed_extension", "1002"), "-/-"},
		{"the same beside the leg's own presence", dialled("dialed_extension", "1002", "domain_name", acme, "presence_id", "1003@"+acme), "acme/carol acme.example.net"},
		{"dialled by user%domain", dialled("sip_local_url", "1002@"+acme, "sip_destination_url", `"" <sip:1002@192.0.2.9:5060>`), "acme/bob acme.example.net"},
		{"dialled to the organisation's domain by a name-addr", dialled("sip_destination_url", `"x" <sip:1002@acme.example.net;ob>`), "acme/bob acme.example.net"},
		{"dialled to the organisation's domain", dialled("sip_destination_url", "sip:1002@acme.example.net;transport=tcp"), "acme/bob acme.example.net"},
		{"a carrier is dialled with an extension's number", dialled("sip_destination_url", "sip:1002@carrier.example"), "-/-"},
		{"the same with the caller's exported domain", dialled("sip_destination_url", "sip:1002@carrier.example", "domain_name", acme), "acme/- acme.example.net"},
		{"a gateway, with what a follow-me left behind", dialled("sip_gateway_name", "carrier", "presence_id", "1002@"+acme,
			"dialed_extension", "1002", "domain_name", acme, "sip_destination_url", "sip:1002@acme.example.net"), "acme/- acme.example.net"},
		{"the voicemail, with what the dialplan exports", dialled("channel_name", "loopback/app=voicemail:default acme.example.net 1002-a", "dialed_extension", "1002", "domain_name", acme), "acme/- acme.example.net"},
		{"a user who is reached through a gateway", dialled("sip_gateway_name", "carrier", "dialed_user", "1002", "dialed_domain", acme), "acme/bob acme.example.net"},
		{"what the answering phone sends", dialled("sip_to_user", "1002", "sip_to_host", acme, "sip_req_user", "1002", "sip_contact_user", "1002"), "-/-"},
		{"the dialplan says which organisation", dialled("tapedeck_org", "acme", "presence_id", "1002@pbx.internal"), "acme/bob pbx.internal"},
		{"an address proves nothing in a domain of nobody", dialled("tapedeck_org", "acme", "sip_destination_url", "sip:1002@carrier.example"), "acme/- 192.0.2.1"},
		{"forwarded to another organisation's user", dialled("tapedeck_org", "acme", "dialed_user", "1001", "dialed_domain", plain), "acme/- plain.example.net"},
		{"the dialplan names the user", dialled("tapedeck_org", "acme", "tapedeck_user", "1002", "sip_gateway_name", "carrier"), "acme/bob 192.0.2.1"},
		{"an authenticated caller", from(acme, "1002"), "acme/bob acme.example.net"},
		{"a stranger who claims to be dialled", fakeData{"Call-Direction": "inbound", "presence_id": "1002@" + acme, "dialed_user": "1002", "dialed_extension": "1002",
			"sip_local_url": "1002@" + acme, "sip_destination_url": "sip:1002@" + acme, "sip_from_host": acme}, "acme/- acme.example.net"},
		{"user_name on a dialled leg", dialled("user_name", "1002", "domain_name", acme), "acme/- acme.example.net"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			org, id, domain := userOf(testPolicy(t), tc.data)
			got := "-/-"
			if org != nil {
				if id == "" {
					id = "-"
				}
				got = org.ID + "/" + id + " " + domain
			}
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

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

// TestRegisteredAs: a phone is the user's who alone is registered with its contact.
func TestRegisteredAs(t *testing.T) {
	other := strings.Replace(contact, "203.0.113.5", "203.0.113.6", 1)
	for _, tc := range []struct{ name, text, want string }{
		{"the user", registrations("1002@acme.example.net", contact), "acme/bob"},
		{"nobody", registrations(), "nobody"},
		{"the same private address behind another NAT", registrations("1001@plain.example.net", other), "nobody"},
		{"both", registrations("1001@plain.example.net", other, "1002@acme.example.net", contact), "acme/bob"},
		{"one contact of two users", registrations("1003@acme.example.net", contact, "1002@acme.example.net", contact), "/"},
		{"twice the same user", registrations("bob@acme.example.net", contact, "1002@acme.example.net", contact), "acme/bob"},
		{"in nobody's domain", registrations("1002@elsewhere.example", contact), "/"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			phones, err := esl.ReadRegistrations(tc.text)
			if err != nil {
				t.Fatal(err)
			}
			whose, nobody := registeredAs(testPolicy(t), contact, phones)
			got := whose.org + "/" + whose.id
			if nobody {
				got = "nobody"
			}
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
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
				fx.ctl.ask(t.Context(), func(time.Time) { l := fx.ctl.legs.get(b.UUID()); known = l != nil && l.user.id == "bob" })
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
		answerers{fx.ctl}.known(l, user{"acme", "dave", "acme.example.net"}, now)
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
