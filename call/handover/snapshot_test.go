package handover

import (
	"reflect"
	"testing"
	"time"

	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// TestDraft: of a call whose owner was killed before it wrote a draft, the
// snapshot says whose it was and what decided.
func TestDraft(t *testing.T) {
	began := time.Date(2026, 3, 9, 10, 0, 0, 0, time.UTC)
	k := Snapshot{
		Version: Version, Call: "c1", Organisation: "acme", Direction: flow.Inbound, Switch: "fs1", First: "c1", Anchor: "c1",
		External: "+447700900123", Began: began, File: toggle.ArmedMasked, Part: 1, Trigger: "automatic",
		Decided: recording.Cause{Element: "number/+442079460001", Setting: "yes"},
		Passed:  []Step{{Element: "number/+442079460001", Setting: flow.Yes}, {Element: "user/alice"}, {Element: "user/alice"}, {Element: "nonsense"}},
	}
	k, err := Read(k.Encode())
	if err != nil {
		t.Fatal(err)
	}
	s := k.Draft()
	if s.Call != "c1" || s.Organisation != "acme" || s.Number != "+442079460001" || s.External != k.External || s.Anchor != "c1" ||
		!s.Started.Equal(began) || s.Decided != k.Decided || !reflect.DeepEqual(s.Users, []string{"alice"}) || len(s.Trace) != 3 {
		t.Errorf("%+v", s)
	}
	if want := []recording.Span{{State: recording.StatePaused, Cause: k.Decided}}; !reflect.DeepEqual(s.Spans, want) {
		t.Errorf("spans %+v", s.Spans)
	}
	if k, err := Read("rubbish"); err == nil {
		t.Errorf("of rubbish: %+v", k)
	}
}
