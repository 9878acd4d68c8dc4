package who

import (
	"strings"
	"testing"
)

// TestLookedUp: what the log says of a call of nobody has no number of an outside party
// and nothing that a stranger has written.
func TestLookedUp(t *testing.T) {
	dials := func(d data, number string, pairs ...string) data {
		d["Caller-Destination-Number"] = number
		for i := 0; i < len(pairs); i += 2 {
			d[pairs[i]] = pairs[i+1]
		}
		return d
	}
	outside := func() data { return data{"sip_from_host": "192.0.2.1"} }
	for _, tc := range []struct {
		name string
		data data
		want Unowned
	}{
		{"from outside", dials(outside(), "+442079469999"), Unowned{"192.0.2.1", "+442079469999", "number"}},
		{"a user in a domain of nobody calls a user", dials(from("1001", "acme.example"), "1002"), Unowned{"acme.example", "1002", "domain number"}},
		{"he calls an outside party", dials(from("1001", "acme.example"), "07700900123"), Unowned{"acme.example", "(number)", "domain number"}},
		{"an organisation that is not there", dials(outside(), "+442079469999", "tapedeck_org", "acmee"), Unowned{"192.0.2.1", "+442079469999", "number tapedeck_org"}},
		{"nothing", data{}, Unowned{"-", "-", "domain number"}},
		{"a stranger's words", dials(outside(), "sales\nlevel=ERROR", "sip_from_host", "a b\n"), Unowned{"(unreadable)", "(unreadable)", "number"}},
		{"a stranger's many words", dials(outside(), strings.Repeat("9", 10_000), "sip_from_host", strings.Repeat("a", 10_000)),
			Unowned{"(unreadable)", "(unreadable)", "number"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := LookedUp(policy(t), tc.data); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}
