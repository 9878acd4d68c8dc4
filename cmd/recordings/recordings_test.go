package recordings

import (
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"tapedeck/recording"
	"tapedeck/store/index"
)

// TestPauses: silence until it is known who answers is not printed as a pause of somebody.
func TestPauses(t *testing.T) {
	yes := recording.Cause{Element: "number/+442079460001", Setting: "yes"}
	var b strings.Builder
	p := &page{Writer: tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0), in: time.UTC}
	p.spans([]recording.Span{{ToMS: 22, State: recording.StatePaused, Cause: yes}, {FromMS: 22, ToMS: 1000, State: recording.StateRecording, Cause: yes},
		{FromMS: 1000, ToMS: 1000, WaitedMS: 72_000, State: recording.StateWaiting}})
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"paused     until it was known who answered ", "recording  number/+442079460001 yes", "waiting    for 1:12.000 that are not in the file"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	for ms, want := range map[int64]string{0: "0:02", 22: "0:02", 100: "0:02 (<0:01 paused)", 980: "0:02 (<0:01 paused)", 1600: "0:02 (0:02 paused)"} {
		if row := (&List{Zone: time.UTC}).row(index.Recording{DurationMS: 1980, Bytes: 1, PausedMS: ms}); row[6] != want {
			t.Errorf("%d ms: %s", ms, row[6])
		}
	}
}
