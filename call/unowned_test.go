package call

import (
	"strconv"
	"strings"
	"testing"

	"tapedeck/call/who"
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
		fx.ctl.legs.unowned.tell(fx.ctl.cfg.Log, "x", who.Unowned{Number: strconv.Itoa(i)})
	}
	if n := len(fx.ctl.legs.unowned.All()); n > maxUnowned {
		t.Errorf("%d are remembered", n)
	}
}
