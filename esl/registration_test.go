package esl

import (
	"strings"
	"testing"
)

// registeredPhones is what FreeSWITCH 1.10.12 answers to `sofia xmlstatus profile
// internal reg`: in UTF-8 or what else a phone has sent, though it says ISO-8859-1.
func registeredPhones(contacts ...string) string {
	text := "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<profile>\n  <registrations>\n"
	for _, contact := range contacts {
		text += "    <registration>\n        <call-id>x</call-id>\n        <user>1002@acme.example.net</user>\n        <contact>" + contact +
			"</contact>\n        <agent>baresip</agent>\n    </registration>\n"
	}
	return text + "  </registrations>\n</profile>\n"
}

func TestReadRegistrations(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		phones     int // -1: it fails
	}{
		{"one", registeredPhones("&quot;\xe9&quot; &lt;sip:1002@192.0.2.9&gt;"), 1},
		{"two", registeredPhones("sip:1002@192.0.2.9", "sip:1002@192.0.2.8"), 2},
		{"none", registeredPhones(), 0},
		{"no profile", "Invalid Profile!\n", -1},
		{"an error", "-ERR sofia Command not found!\n", -1},
		{"nothing", "", -1},
		{"cut off", strings.TrimSuffix(registeredPhones("sip:1002@192.0.2.9"), "</profile>\n"), -1},
		{"just not too much", registeredPhones() + strings.Repeat(" ", maxRegistrations-len(registeredPhones())), 0},
		{"too much", registeredPhones() + strings.Repeat(" ", maxRegistrations-len(registeredPhones())+1), -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			phones, err := ReadRegistrations(tc.text)
			if (err != nil) != (tc.phones < 0) || err == nil && len(phones) != tc.phones {
				t.Fatalf("%d phones, %v", len(phones), err)
			}
			for _, p := range phones {
				if p.User != "1002" || p.Domain != "acme.example.net" {
					t.Errorf("user %q, domain %q", p.User, p.Domain)
				}
			}
		})
	}
}

// TestRegisteredAt: only the whole contact is the phone's, with the way through a NAT.
func TestRegisteredAt(t *testing.T) {
	const nat = "sip:1002-0x55d2@192.168.1.20:5060;fs_nat=yes;fs_path=sip%3A1002-0x55d2%40203.0.113.5%3A40112"
	decoded := strings.NewReplacer("%3A", ":", "%40", "@").Replace(nat)
	for _, tc := range []struct {
		name, registered, dialled string
		want                      bool
	}{
		{"a name-addr", "&quot;bob&quot; &lt;" + nat + "&gt;", nat, true},
		{"a name-addr with parameters", "&lt;" + nat + "&gt;;expires=60", nat, true},
		{"an address alone", nat, nat, true},
		{"as a variable has it, decoded", nat, decoded, true},
		{"registered decoded", decoded, nat, true},
		{"the same private address behind another NAT", strings.Replace(nat, "113.5", "113.6", 1), nat, false},
		{"a part of it", nat, "sip:1002-0x55d2@192.168.1.20:5060", false},
		{"a percent sign that encodes nothing", "sip:1%zz2@192.0.2.9", "sip:1%zz2@192.0.2.9", true},
		{"nothing", "", nat, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			phones, err := ReadRegistrations(registeredPhones(tc.registered))
			if err != nil || len(phones) != 1 {
				t.Fatal(phones, err)
			}
			if got := phones[0].IsAt(tc.dialled); got != tc.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
