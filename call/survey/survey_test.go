package survey

import (
	"context"
	"testing"

	"tapedeck/call/handover"
	"tapedeck/esl"
	"tapedeck/esl/esltest"
)

// connect connects to a simulated FreeSWITCH until the test ends.
func connect(t *testing.T, sw *esltest.Switch) Link {
	t.Helper()
	address, err := sw.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connected := make(chan *esl.Conn, 1)
	link := &esl.Link{Name: "fs1", Address: address, Password: esl.NewSecret("ClueCon"),
		OnConnect: func(_ context.Context, conn *esl.Conn) error { connected <- conn; return nil }}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = link.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended; _ = sw.Close() })
	return <-connected
}

// TestAsk: which legs are there, who is answered, who talks to whom, what is being
// written, and what others have left on them.
func TestAsk(t *testing.T) {
	sw := esltest.New(esltest.Options{Clock: esltest.Manual})
	link := connect(t, sw)
	a := sw.Incoming(esltest.Leg{Number: "07700900123", Destination: "100"})
	b := a.Dial(esltest.Leg{Destination: "1001"})
	c := a.Dial(esltest.Leg{Destination: "1002"})
	kept := handover.Snapshot{Version: handover.Version, Call: a.UUID(), First: a.UUID(), Anchor: a.UUID(), Part: 1}
	a.Set(handover.Variable, kept.Encode())
	b.Answer()
	file := t.TempDir() + "/a.wav"
	if _, err := link.SendAll(t.Context(), []esl.Command{esl.Record(a.UUID(), esl.RecordStart, file)}); err != nil {
		t.Fatal(err)
	}

	s, err := All(t.Context(), link, []string{"not-there", "with\na line break", "ünïcode"})
	if err != nil {
		t.Fatal(err)
	}
	if !s.Live[a.UUID()] || !s.Live[b.UUID()] || s.Live.Has(c.UUID()) && s.Live[c.UUID()] || s.Live.Has("not-there") {
		t.Errorf("live: %v", s.Live)
	}
	if s.Peers[a.UUID()] != b.UUID() || s.Peers[b.UUID()] != a.UUID() {
		t.Errorf("peers: %v", s.Peers)
	}
	if yes, known := s.IsRecording(a.UUID(), file); !yes || !known {
		t.Errorf("the file is being written: %t, known: %t", yes, known)
	}
	if yes, known := s.IsRecording(a.UUID(), "/other.wav"); yes || !known {
		t.Errorf("another file is being written: %t, known: %t", yes, known)
	}
	if _, known := s.IsRecording("not-there", file); known {
		t.Error("of a leg that is not there nothing is known")
	}
	snapshots := s.Snapshots(func(leg string, err error) { t.Errorf("%s: %v", leg, err) })
	if len(snapshots) != 1 || snapshots[a.UUID()].Anchor != a.UUID() {
		t.Errorf("snapshots: %v", snapshots)
	}
}

// TestSnapshots: the later one of two snapshots of a call counts. A snapshot on the
// leg that has answered makes that leg the anchor. One on a leg that only rings is
// ignored. One that cannot be read is reported.
func TestSnapshots(t *testing.T) {
	kept := func(serial int64) string {
		return handover.Snapshot{Version: handover.Version, Call: "c", First: "first", Part: 1, Serial: serial}.Encode()
	}
	leg := func(text string) Data { return dump{"variable_" + handover.Variable: text} }
	s := Survey{Data: map[string]Data{"first": leg(kept(5)), "answered": leg(kept(5)), "rings": leg(kept(9)), "bad": leg("?"), "none": leg("")},
		Live: Legs{"first": true, "answered": true, "rings": false, "bad": true, "none": true}}
	var bad []string
	got := s.Snapshots(func(leg string, _ error) { bad = append(bad, leg) })
	if len(got) != 1 || got["c"].Anchor != "answered" || got["c"].Serial != 6 {
		t.Errorf("%+v", got)
	}
	if len(bad) != 1 || bad[0] != "bad" {
		t.Errorf("not read: %q", bad)
	}
}

// TestIsUUID: names that can be asked for.
func TestIsUUID(t *testing.T) {
	for name, want := range map[string]bool{"": false, "c0ffee00-0000-4000-8000-000000000001": true, "a b": false, "a\nb": false, "ä": false} {
		if IsUUID(name) != want {
			t.Errorf("IsUUID(%q) = %t", name, !want)
		}
	}
}
