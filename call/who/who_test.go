package who

import (
	"testing"

	"tapedeck/flow"
	"tapedeck/flow/flowtest"
)

// policy has two organisations that cannot be taken for one another.
func policy(t testing.TB) *flow.Policy {
	t.Helper()
	return flowtest.Policy(t, `
version: 1
region: GB
organisations:
  acme:
    domains: [acme.example.net]
    users:
      bob:   { extension: "1002" }
      carol: { extension: "1003" }
  plain:
    domains: [plain.example.net]
    users:
      erin: { extension: "1001" }
`)
}

// data is what FreeSWITCH says of a leg. Names with a capital letter are headers, others
// are variables.
type data map[string]string

func (d data) Get(header string) string    { return d[header] }
func (d data) Variable(name string) string { return d[name] }

// from is the data of a leg that came in and that FreeSWITCH has authenticated.
func from(user, domain string) data { return data{"domain_name": domain, "user_name": user} }

// dialled is the channel data of a leg that FreeSWITCH has dialled to a phone.
func dialled(pairs ...string) data {
	d := data{"Call-Direction": "outbound", "sip_destination_url": "sip:x@192.0.2.9:5060", "sip_from_host": "192.0.2.1"}
	for i := 0; i < len(pairs); i += 2 {
		d[pairs[i]] = pairs[i+1]
	}
	return d
}

// TestOf: whose phone a leg is, by what the dial string, the registration and the
// dialplan say, and by nothing that a caller or an answering phone can choose.
func TestOf(t *testing.T) {
	const acme, plain = "acme.example.net", "plain.example.net"
	for _, tc := range []struct {
		name string
		data data
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
		{"an address proves nothing in a domain of nobody", dialled("tapedeck_org", "acme", "sip_destination_url", "sip:1002@carrier.example"), "acme/- "},
		{"forwarded to another organisation's user", dialled("tapedeck_org", "acme", "dialed_user", "1001", "dialed_domain", plain), "acme/- plain.example.net"},
		{"the dialplan names the user", dialled("tapedeck_org", "acme", "tapedeck_user", "1002", "sip_gateway_name", "carrier"), "acme/bob 192.0.2.1"},
		{"an authenticated caller", from("1002", acme), "acme/bob acme.example.net"},
		{"a stranger who claims to be dialled", data{"Call-Direction": "inbound", "presence_id": "1002@" + acme, "dialed_user": "1002", "dialed_extension": "1002",
			"sip_local_url": "1002@" + acme, "sip_destination_url": "sip:1002@" + acme, "sip_from_host": acme}, "-/-"},
		{"the From of a caller whom FreeSWITCH knows", data{"sip_from_host": acme, "sip_authorized": "true"}, "acme/- acme.example.net"},
		{"the From of a phone that is let in without a password, and that the dialplan names", data{"sip_from_host": acme, "tapedeck_org": "acme", "tapedeck_user": "1002"},
			"acme/bob acme.example.net"},
		{"user_name on a dialled leg", dialled("user_name", "1002", "domain_name", acme), "acme/- acme.example.net"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			org, id, domain := Of(policy(t), tc.data)
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
