package call

import (
	"strconv"
	"strings"
	"testing"

	"tapedeck/esl/esltest"
)

// TestCallOfNobody: a call that belongs to no organisation is told to the
// administrator with its domain and number, once for each of them.
func TestCallOfNobody(t *testing.T) {
	fx := newFixture(t)
	call := func(number, from string) {
		leg := fx.sw.Incoming(esltest.Leg{Number: "07700900123", Destination: number, Variables: map[string]string{"sip_from_host": from}})
		_, err := leg.Socket(t.Context(), fx.socket)
		fx.must(err)
		leg.Hangup("")
	}
	warned := func() []string { return fx.log.Lines("call of no organisation", "level=WARN") }
	for range 3 {
		call("+442079469999", "acme.example")
	}
	if lines := warned(); len(lines) != 1 || !strings.Contains(lines[0], "domain=acme.example number=+442079469999") || !strings.Contains(lines[0], "looked_up=") {
		t.Errorf("%q", lines)
	}
	call("+442079469998", "acme.example")
	call("+442079469998", "other.example")
	if n := len(warned()); n != 3 {
		t.Errorf("%d lines for three calls that differ", n)
	}
	if n := fx.meter.get("call unknown unknown"); n != 5 {
		t.Errorf("counted %d calls, want 5", n)
	}
	if strings.Contains(strings.Join(warned(), ""), "0770090") {
		t.Errorf("the caller's number is in the log: %q", warned())
	}
	for i := range maxUnowned + 10 {
		fx.ctl.legs.unowned.tell(fx.ctl.cfg.Log, "x", unowned{number: strconv.Itoa(i)})
	}
	if n := len(fx.ctl.legs.unowned.All()); n > maxUnowned {
		t.Errorf("%d are remembered", n)
	}
}

// TestUnownedOf: what the log says of a call of nobody has no number of an outside
// party and nothing that a stranger has written.
func TestUnownedOf(t *testing.T) {
	p := testPolicy(t)
	for _, tc := range []struct {
		name string
		data fakeData
		want unowned
	}{
		{"from outside", fromOutside("+442079469999"), unowned{"192.0.2.1", "+442079469999", "domain number"}},
		{"a user in a domain of nobody calls a user", dials("1001", "acme.example", "1002"), unowned{"acme.example", "1002", "domain number"}},
		{"he calls an outside party", dials("1001", "acme.example", "07700900123"), unowned{"acme.example", "(number)", "domain number"}},
		{"an organisation that is not there", fromOutside("+442079469999").with("tapedeck_org", "acmee"), unowned{"192.0.2.1", "+442079469999", "domain number tapedeck_org"}},
		{"nothing", fakeData{}, unowned{"-", "-", "domain number"}},
		{"a stranger's words", fromOutside("sales\nlevel=ERROR").with("sip_from_host", "a b\n"), unowned{"(unreadable)", "(unreadable)", "domain number"}},
		{"a stranger's many words", fromOutside(strings.Repeat("9", 10_000)).with("sip_from_host", strings.Repeat("a", 10_000)),
			unowned{"(unreadable)", "(unreadable)", "domain number"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := readEntry(p, tc.data)
			if e.unowned != tc.want {
				t.Errorf("got %+v, want %+v", e.unowned, tc.want)
			}
		})
	}
}
