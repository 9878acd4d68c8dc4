package call

import (
	"fmt"
	"strings"
	"testing"

	"tapedeck/flow"
	"tapedeck/flow/flowtest"
)

// policyText has two organisations that cannot be taken for one another.
const policyText = `
version: 1
region: GB
organisations:
  acme:
    domains: [acme.example.net]
    numbers:
      "+442079460001": { record: yes, route: ring_group/sales }
      "+442079460002": { record: { outbound: force } }
      "+442079460003": { record: no }
      "+442079460004": { record: dont-care }
      "+442079460005": { record: force }
    ring_groups:
      sales: { record: dont-care, members: [alice, bob] }
      support: { record: yes }
      private: { record: no }
    applications:
      reception: { record: no }
      survey: { record: yes }
    users:
      alice: { extension: "1001", record: { outbound: yes, internal: yes } }
      bob:   { extension: "1002", record: no }
      carol: { extension: "1003", record: yes }
      dave:  { extension: "1004" }
      frank: { extension: "1005", on_demand: override }
      grace: { extension: "1006", on_demand: disable }
  plain:
    domains: [plain.example.net]
    numbers:
      "+442079460101": { record: yes }
    users:
      erin: { extension: "1001" }
  silent:
    recording: false
    domains: [silent.example.net]
    numbers:
      "+442079460201": { record: force }
`

func testPolicy(t testing.TB) *flow.Policy {
	t.Helper()
	return flowtest.Policy(t, policyText)
}

// fakeData is channel data. Names with a capital letter are headers, others are
// variables.
type fakeData map[string]string

func (s fakeData) Get(h string) string              { return s[h] }
func (s fakeData) Variable(name string) string      { return s[name] }
func (s fakeData) with(name, value string) fakeData { s[name] = value; return s }
func from(domain, user string) fakeData             { return fakeData{"domain_name": domain, "user_name": user} }
func fromOutside(number string) fakeData {
	return fakeData{"Caller-Destination-Number": number, "sip_from_host": "192.0.2.1"}
}
func dials(user, domain, number string) fakeData {
	return from(domain, user).with("Caller-Destination-Number", number)
}

func TestReadEntry(t *testing.T) {
	p := testPolicy(t)
	for _, tc := range []struct {
		name string
		data fakeData
		want string // organisation direction user elements
	}{
		{"inbound", fromOutside("+442079460001"), "acme inbound - number/+442079460001"},
		{"inbound, national form", fromOutside("02079460001"), "acme inbound - number/+442079460001"},
		{"inbound, international form", fromOutside("00442079460001"), "acme inbound - number/+442079460001"},
		{"inbound, destination rewritten", fromOutside("sales").with("sip_req_user", "442079460001"), "acme inbound - number/+442079460001"},
		{"inbound, number named by the dialplan", fromOutside("x").with("tapedeck_number", "+442079460101"), "plain inbound - number/+442079460101"},
		{"inbound, unknown number", fromOutside("+442079469999"), "nobody"},
		{"inbound, From says a user's domain", fromOutside("+442079460101").with("sip_from_host", "acme.example.net"), "plain inbound - number/+442079460101"},
		{"inbound, the To of an authenticated trunk", fromOutside("trunk").with("sip_to_user", "442079460001").with("sip_authorized", "true"), "acme inbound - number/+442079460001"},
		{"inbound, the To of a stranger", fromOutside("trunk").with("sip_to_user", "442079460001"), "nobody"},
		{"inbound, the To of a stranger, who says that he is authenticated", fromOutside("trunk").with("sip_to_user", "442079460001").with("sip_authorized", "false"), "nobody"},
		{"inbound, the From of a stranger, to a number of nobody", fromOutside("+442079469999").with("sip_from_host", "acme.example.net"), "nobody"},
		{"inbound, the From of an authenticated leg", fromOutside("x").with("sip_from_host", "acme.example.net").with("sip_authorized", "true"), "acme inbound -"},
		{"inbound, the dialplan says whose number of nobody it is", fromOutside("+442079469999").with("sip_from_host", "acme.example.net").with("tapedeck_org", "plain"),
			"plain inbound -"},
		{"inbound, a bridge left dialed_user behind", fromOutside("+442079460001").with("dialed_user", "1001").with("dialed_domain", "acme.example.net"),
			"acme inbound - number/+442079460001"},
		{"outgoing", dials("1001", "acme.example.net", "07700900123"), "acme outbound alice user/alice"},
		{"outgoing with a number", dials("alice", "acme.example.net", "07700900123").with("effective_caller_id_number", "02079460002"),
			"acme outbound alice user/alice number/+442079460002"},
		{"outgoing, tapedeck_number comes first", dials("alice", "acme.example.net", "07700900123").
			with("effective_caller_id_number", "02079460002").with("tapedeck_number", "+442079460003"),
			"acme outbound alice user/alice number/+442079460003"},
		{"outgoing, another organisation's number is not shown", dials("alice", "acme.example.net", "07700900123").
			with("outbound_caller_id_number", "+442079460101"), "acme outbound alice user/alice"},
		{"outgoing to another organisation's number", dials("alice", "acme.example.net", "02079460101"), "acme outbound alice user/alice"},
		{"outgoing, with a prefix for the outside line", dials("alice", "acme.example.net", "907700900123"), "acme outbound alice user/alice"},
		{"internal, by extension", dials("alice", "acme.example.net", "1002"), "acme internal alice user/alice"},
		{"internal, by own number", dials("alice", "acme.example.net", "02079460001"), "acme internal alice user/alice"},
		{"internal, a service", dials("alice", "acme.example.net", "*98"), "acme internal alice user/alice"},
		{"the same extension elsewhere", dials("1001", "plain.example.net", "07700900123"), "plain outbound erin user/erin"},
		{"domain with a port and capitals", dials("1001", "ACME.example.net:5080", "1002"), "acme internal alice user/alice"},
		{"user named by the dialplan", fakeData{"tapedeck_org": "acme", "tapedeck_user": "1003", "Caller-Destination-Number": "1001"},
			"acme internal carol user/carol"},
		{"direction named by the dialplan", dials("alice", "acme.example.net", "1002").with("tapedeck_direction", "outbound"),
			"acme outbound alice user/alice"},
		{"a user's phone that was transferred", fakeData{"Call-Direction": "outbound", "dialed_user": "1002", "dialed_domain": "acme.example.net",
			"Caller-Destination-Number": "1003"}, "acme internal bob user/bob"},
		{"organisation without recording", fromOutside("+442079460201"), "silent inbound - number/+442079460201"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := summary(readEntry(p, tc.data)); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestReadEntryOfHeaders: what a phone writes into headers and bodies gets names of
// FreeSWITCH's own as channel variables (sofia.c, sofia_handle_sip_i_invite and
// sofia_handle_sip_i_refer). None of them counts as a variable of ours.
func TestReadEntryOfHeaders(t *testing.T) {
	data := fromOutside("+442079460001")
	for _, prefix := range []string{"sip_h_", "sip_h_X-", "sip_h_P-", "sip_i_", "sip_rh_", "sip_ph_", "sip_invite_", "sip_req_", "sip_info_h_"} {
		for name, value := range map[string]string{"tapedeck_org": "plain", "tapedeck_number": "+442079460101", "tapedeck_direction": "internal", "tapedeck_user": "erin",
			"tapedeck_element": "ring_group/private", "tapedeck_toggle": "blind_transfer", "tapedeck_call": "x", "tapedeck_live": "x", "Record": "off"} {
			data = data.with(prefix+name, value)
		}
	}
	data = data.with("sip_refer_to", "<sip:*1@192.0.2.1?tapedeck_org=plain&tapedeck_element=ring_group%2Fprivate&Record=off>").
		with("sip_multipart", "ARRAY::text/plain:tapedeck_element: ring_group/private")
	e := readEntry(testPolicy(t), data)
	if got := summary(e); got != "acme inbound - number/+442079460001" || e.hint != "" || e.call != "" || e.toggles || e.snapshot != "" {
		t.Errorf("%s, %+v", got, e)
	}
}

func summary(e entry) string {
	if e.org == nil {
		return "nobody"
	}
	user := e.user
	if user == "" {
		user = "-"
	}
	words := []string{e.org.ID, e.direction.String(), user}
	for _, el := range e.firstElements {
		words = append(words, el.String())
	}
	return strings.Join(words, " ")
}

func TestReadElement(t *testing.T) {
	p := testPolicy(t)
	acme := p.Organisations["acme"]
	for hint, want := range map[string]string{
		"ring_group/sales":    "ring_group/sales",
		"user/1002":           "user/bob",
		"number/02079460002":  "number/+442079460002",
		"number/+44207946010": "number/+44207946010",
		"application/none":    "application/none",
		"queue/x":             "error",
		"user/":               "error",
		"../../etc":           "error",
	} {
		el, err := readElement(p, acme, hint)
		got := el.String()
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", hint, got, want)
		}
	}
}

// TestHostileEntry: whatever a caller sends, no element is entered that the policy
// does not have.
func TestHostileEntry(t *testing.T) {
	p := testPolicy(t)
	for i, text := range []string{"../../x", "${system(reboot)}", "a\nb", "\x00", strings.Repeat("9", 10<<10), "'; drop", "ünïcode", "{a=b}"} {
		for _, name := range []string{"Caller-Destination-Number", "tapedeck_org", "tapedeck_direction", "tapedeck_user", "tapedeck_number",
			"user_name", "dialed_domain", "sip_req_user", "effective_caller_id_number"} {
			t.Run(fmt.Sprint(i, name), func(t *testing.T) {
				e := readEntry(p, dials("alice", "acme.example.net", "07700900123").with(name, text))
				for _, el := range e.firstElements {
					if _, known := e.org.Settings(el); !known {
						t.Errorf("element %q is not in the policy", el)
					}
				}
			})
		}
	}
}
