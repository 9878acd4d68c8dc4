package handover

import (
	"reflect"
	"strconv"
	"strings"
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

// TestEncodeShort: a snapshot that is too long loses what decides nothing, or is left
// out; never the number, a user who is on the call, or a yes.
func TestEncodeShort(t *testing.T) {
	passed := func(n int, setting flow.Setting) []Step {
		steps := []Step{{Element: "number/+442079460001"}, {Element: "user/alice", Leg: "l1"}, {Element: "ring_group/sales", Setting: flow.Yes}}
		for i := range n {
			steps = append(steps, Step{Element: "application/menu-" + strconv.Itoa(i), Setting: setting})
		}
		return steps
	}
	s := Snapshot{Version: Version, Call: "c1", First: "c1", Part: 1, Passed: passed(10, flow.DontCare)}
	if text, shortened := s.EncodeShort(); shortened || text != s.Encode() {
		t.Error("a short one is not shortened")
	}
	s.Passed = passed(2000, flow.DontCare)
	text, shortened := s.EncodeShort()
	got, err := Read(text)
	if err != nil || !shortened || !reflect.DeepEqual(got.Passed, passed(0, flow.DontCare)) {
		t.Errorf("shortened: %t, %v, %d steps", shortened, err, len(got.Passed))
	}
	s.Passed = passed(2000, flow.Yes)
	if text, shortened := s.EncodeShort(); !shortened || text != "" {
		t.Errorf("what cannot be shortened: %t, %d bytes", shortened, len(text))
	}
}

// TestStable: what changes by itself does not make a snapshot new.
func TestStable(t *testing.T) {
	s := Snapshot{Version: Version, Call: "c1", First: "c1", Part: 1}
	later := s
	later.Serial, later.Changed = 7, time.Now()
	if s.Stable() != later.Stable() {
		t.Error("a later snapshot that says the same")
	}
	if later.Person = toggle.TurnedOff; s.Stable() == later.Stable() {
		t.Error("a pause says something new")
	}
}

// TestRead: what is not whole, or of another version, is refused.
func TestRead(t *testing.T) {
	whole := Snapshot{Version: Version, Call: "c1", First: "c1", Part: 1}
	for name, change := range map[string]func(*Snapshot){
		"no call": func(s *Snapshot) { s.Call = "" }, "no leg": func(s *Snapshot) { s.First = "" }, "no part": func(s *Snapshot) { s.Part = 0 },
		"a later version": func(s *Snapshot) { s.Version++ }, "a file that there is not": func(s *Snapshot) { s.File = toggle.Closed + 1 },
	} {
		s := whole
		change(&s)
		if _, err := Read(s.Encode()); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	if got, err := Read(whole.Encode()); err != nil || !reflect.DeepEqual(got, whole) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestRelayed: elements that were entered elsewhere, as text and back.
func TestRelayed(t *testing.T) {
	text := ""
	for _, id := range []string{"a", "b", "a"} {
		var ok bool
		if text, ok = AddRelayed(text, flow.Element{Kind: flow.Application, ID: id}); !ok {
			t.Fatal("there is room")
		}
	}
	if got := Relayed(text); !reflect.DeepEqual(got, []string{"application/a", "application/b", "application/a"}) {
		t.Errorf("%q", got)
	}
	if got := Relayed(""); got != nil {
		t.Errorf("of nothing: %q", got)
	}
	if _, ok := AddRelayed(strings.Repeat("x", maxRelayed), flow.Element{Kind: flow.Application, ID: "a"}); ok {
		t.Error("there is no room")
	}
}
