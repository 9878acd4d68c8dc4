package call

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/store"
	"tapedeck/toggle"
)

// TestFromControl: of a call whose owner was killed before it wrote a draft, the
// snapshot says whose it was and what decided.
func TestFromControl(t *testing.T) {
	began := time.Date(2026, 3, 9, 10, 0, 0, 0, time.UTC)
	k := control{
		Version: controlVersion, Call: "c1", Organisation: "acme", Direction: flow.Inbound, Switch: "fs1", First: "c1", Anchor: "c1",
		External: "+447700900123", Began: began, File: toggle.ArmedMasked, Part: 1, Trigger: "automatic",
		Decided: recording.Cause{Element: "number/+442079460001", Setting: "yes"},
		Passed:  []controlStep{{Element: "number/+442079460001", Setting: flow.Yes}, {Element: "user/alice"}, {Element: "user/alice"}, {Element: "nonsense"}},
	}
	got := fromControl(store.LiveCall{Control: k.encode()})
	if len(got) != 1 {
		t.Fatalf("%d sidecars", len(got))
	}
	s := got[0]
	if s.Call != "c1" || s.Organisation != "acme" || s.Number != "+442079460001" || s.External != k.External || s.Anchor != "c1" ||
		!s.Started.Equal(began) || s.Decided != k.Decided || !reflect.DeepEqual(s.Users, []string{"alice"}) || len(s.Trace) != 3 {
		t.Errorf("%+v", s)
	}
	if want := []recording.Span{{State: spanPaused, Cause: k.Decided}}; !reflect.DeepEqual(s.Spans, want) {
		t.Errorf("spans %+v", s.Spans)
	}
	if got := fromControl(store.LiveCall{Control: "rubbish"}); got != nil {
		t.Errorf("of rubbish: %+v", got)
	}
}

// TestKnownBetter: what an instance that was cut off from Redis has written of a
// call is not written over by one that knows less.
func TestKnownBetter(t *testing.T) {
	dir, err := recording.NewDir(t.TempDir())
	if err != nil {
		t.Skip(err) // a name that FreeSWITCH would misread
	}
	d := &Desk{cfg: Config{Recordings: dir}}
	began := time.Date(2026, 3, 9, 10, 0, 0, 0, time.UTC)
	s := recording.Sidecar{Version: recording.Version, Call: "c1", Organisation: "acme", Started: began,
		Trace: []recording.Note{{At: began, What: "entered"}, {At: began, What: "told"}}}
	file, err := dir.PartPath("acme", began, "c1", 1)
	if err != nil {
		t.Fatal(err)
	}
	if d.knownBetter(s) {
		t.Error("there is none yet")
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := recording.WriteSidecar(recording.SidecarPath(file), s); err != nil {
		t.Fatal(err)
	}
	if d.knownBetter(s) {
		t.Error("it knows no more")
	}
	s.Trace = s.Trace[:1]
	if !d.knownBetter(s) {
		t.Error("it knows more")
	}
}
