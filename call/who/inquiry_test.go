package who

import (
	"strings"
	"testing"

	"tapedeck/esl"
)

// TestInquire: FreeSWITCH is asked for the phone at a dialled contact only if no
// variable names the user. No telephone number goes into the command, nor anything that
// is no word. What the log may have names no telephone number, either.
func TestInquire(t *testing.T) {
	to := func(contact string, pairs ...string) data {
		return dialled(append([]string{"sip_profile_name", "internal", "sip_destination_url", contact}, pairs...)...)
	}
	for _, tc := range []struct {
		name  string
		data  data
		asks  string // profile and contact; "" if nothing
		found string // domain and what names the user, for the log
		right bool   // nobody's by right
	}{
		{"a phone", to("sip:1002-0x55d2@192.0.2.9:5060;transport=tcp"), "internal 1002-0x55d2@192.0.2.9:5060",
			"192.0.2.1 sip_destination_url=1002-0x55d2@192.0.2.9:5060 registration", false},
		{"a telephone number", to("sip:+447700900555@192.0.2.7"), "internal 192.0.2.7", "192.0.2.1 sip_destination_url=(number)@192.0.2.7 registration", false},
		{"no address", to("", "channel_name", "loopback/x"), "", "192.0.2.1 ", false},
		{"a name and domain that the policy does not have", to("sip:x@192.0.2.9", "presence_id", "1099@acme.example.net"), "",
			"192.0.2.1 presence_id=1099@acme.example.net sip_destination_url=x@192.0.2.9", false},
		{"a gateway", to("sip:x@192.0.2.9", "sip_gateway_name", "carrier"), "", "192.0.2.1 ", true},
		{"an application", to("", "channel_name", "loopback/app=voicemail:default x 1002"), "", "192.0.2.1 ", true},
		{"a user of nobody who is dialled through a gateway", to("", "sip_gateway_name", "carrier", "dialed_user", "1099", "dialed_domain", "192.0.2.1"), "", "192.0.2.1 dialed_user=1099@192.0.2.1", false},
		{"words in the name", to("sip:1002 reg x@192.0.2.9"), "", "192.0.2.1 sip_destination_url=(unreadable)@192.0.2.9", false},
		{"words in the host", to("sip:1002@192.0.2.9 x"), "", "192.0.2.1 sip_destination_url=1002@(unreadable)", false},
		{"words in the profile", to("sip:x@192.0.2.9", "sip_profile_name", "a b"), "", "192.0.2.1 sip_destination_url=x@192.0.2.9", false},
		{"a long name", dialled("dialed_user", strings.Repeat("x", 1000), "dialed_domain", strings.Repeat("y", 1000), "sip_destination_url", ""), "",
			"(unreadable) dialed_user=" + strings.Repeat("x", maxName-len("…")) + "…@(unreadable)", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q := Inquire(tc.data)
			asks := ""
			if q.Profile != "" {
				asks = q.Profile + " " + q.Contact
			}
			if found := q.Domain + " " + q.Found; asks != tc.asks || found != tc.found || q.Nobody != tc.right {
				t.Errorf("asks %q, found %q, nobody's by right %t", asks, found, q.Nobody)
			}
		})
	}
}

// TestAnswer: a phone is the user's who alone is registered with its contact. Where no
// phone is, a telephone number is an outside party's.
func TestAnswer(t *testing.T) {
	const phone, number = "sip:1002-0x55d2@192.168.1.20:5060", "sip:07700900555@192.0.2.7"
	at := func(user, domain, contact string) esl.Registration {
		return esl.Registration{User: user, Domain: domain, Contact: contact}
	}
	for _, tc := range []struct {
		name, contact string
		phones        []esl.Registration
		want          string // organisation/user domain, or "outside"
	}{
		{"the user", phone, []esl.Registration{at("1002", "acme.example.net", phone)}, "acme/bob acme.example.net"},
		{"nobody", phone, nil, "/ "},
		{"another contact", phone, []esl.Registration{at("1001", "plain.example.net", phone+";fs_nat=yes")}, "/ "},
		{"both", phone, []esl.Registration{at("1001", "plain.example.net", phone+";fs_nat=yes"), at("1002", "acme.example.net", phone)}, "acme/bob acme.example.net"},
		{"one contact of two users", phone, []esl.Registration{at("1003", "acme.example.net", phone), at("1002", "acme.example.net", phone)}, "/ "},
		{"one contact in two organisations", phone, []esl.Registration{at("1002", "acme.example.net", phone), at("1001", "plain.example.net", phone)}, "/ "},
		{"twice the same user", phone, []esl.Registration{at("bob", "acme.example.net", phone), at("1002", "acme.example.net", phone)}, "acme/bob acme.example.net"},
		{"the user and an extension of nobody", phone, []esl.Registration{at("1002", "acme.example.net", phone), at("1099", "acme.example.net", phone)}, "acme/bob acme.example.net"},
		{"an extension of nobody and the user", phone, []esl.Registration{at("1099", "acme.example.net", phone), at("1002", "acme.example.net", phone)}, "acme/bob acme.example.net"},
		{"an extension of nobody", phone, []esl.Registration{at("1099", "acme.example.net", phone)}, "/ "},
		{"in nobody's domain", phone, []esl.Registration{at("1002", "elsewhere.example", phone)}, "/ "},
		{"a telephone number without a phone", number, []esl.Registration{at("1002", "acme.example.net", phone)}, "outside"},
		{"a phone of nobody whose contact is a number", number, []esl.Registration{at("1002", "elsewhere.example", number)}, "/ "},
		{"a user's phone whose contact is a number", number, []esl.Registration{at("1002", "acme.example.net", number)}, "acme/bob acme.example.net"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q := Inquire(dialled("sip_destination_url", tc.contact, "sip_profile_name", "internal"))
			whose, outside := q.Answer(policy(t), tc.phones)
			got := whose.Org + "/" + whose.ID + " " + whose.Domain
			if outside {
				got = "outside"
			}
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
