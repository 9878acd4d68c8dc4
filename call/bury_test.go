package call

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/store/calls"
	"tapedeck/store/index"
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
	got := fromControl(calls.Call{Snapshot: k.encode()})
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
	if got := fromControl(calls.Call{Snapshot: "rubbish"}); got != nil {
		t.Errorf("of rubbish: %+v", got)
	}
}

// indexing is a Store that remembers what it was given for the index.
type indexing struct {
	nowhere
	saved *[]index.Recording
}

func (i indexing) SaveRecording(r index.Recording) { *i.saved = append(*i.saved, r) }

// TestKnownBetter: what the owner has written of a call, which was cut off from
// Redis or died just then, is not written over by one that knows less; it is in
// the index then, too.
func TestKnownBetter(t *testing.T) {
	dir, err := recording.NewDir(t.TempDir())
	if err != nil {
		t.Skip(err) // a name that FreeSWITCH would misread
	}
	var saved []index.Recording
	d := NewDesk(Config{Recordings: dir, Store: indexing{saved: &saved}, Archive: unwritten{}})
	began := time.Date(2026, 3, 9, 10, 0, 0, 0, time.UTC)
	s := recording.Sidecar{Version: recording.Version, Call: "c1", Organisation: "acme", Started: began,
		Trace: []recording.Note{{At: began, What: "entered"}, {At: began, What: "told"}}, File: &recording.File{DurationMS: 7000}}
	file, err := dir.PartPath("acme", began, "c1", 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, better := d.knownBetter(s); better {
		t.Error("there is none yet")
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := recording.WriteSidecar(recording.SidecarPath(file), s); err != nil {
		t.Fatal(err)
	}
	if _, better := d.knownBetter(s); better {
		t.Error("it knows no more")
	}
	s.Trace, s.File = s.Trace[:1], nil
	if _, better := d.knownBetter(s); !better {
		t.Error("it knows more")
	}
	d.conclude(s, nil)
	if len(saved) != 1 || saved[0].ID != "c1" || saved[0].DurationMS != 7000 {
		t.Errorf("put into the index: %+v", saved)
	}
}
