package recording

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"tapedeck/internal/testkit"
	"tapedeck/recording/sound"
)

// packet is what one packet of 20 ms is in a file.
const packet = 20

// drifted is a call whose file does not follow the clock.
type drifted struct {
	clock []Span // as command replies tell it
	truth []Span // as it is in the file
	sound *testkit.Clip
	wrote int64 // ms from RECORD_START to RECORD_STOP
	extra int   // frames that are too many
	lost  int   // frames that are missing
}

// drift makes a call with pauses. Wherever it is, a digit may add frames and a gap in
// the packets may lose some: in speech, in a pause, on both sides of an edge.
func drift(rnd *rand.Rand) drifted {
	d := drifted{sound: testkit.NewClip(1+rnd.IntN(2), 8000)}
	digits, gaps := rnd.IntN(12), rnd.IntN(9)
	const stretches = 7
	for i := range stretches {
		s := Span{State: StateRecording, Cause: Cause{User: fmt.Sprint(i)}, FromMS: d.wrote}
		value := int16(tone)
		if i%2 == 1 {
			s.State, value = StatePaused, 0
		}
		n := 30 + rnd.IntN(300)
		quiet := rnd.IntN(n) // both parties are silent for a moment
		from := length(d.sound)
		for f := range n {
			frames := int64(1)
			if rnd.IntN(n*stretches) < digits {
				more := 1 + rnd.IntN(5)
				d.extra += more
				frames += int64(more)
			}
			if rnd.IntN(n*stretches) < gaps {
				d.lost++
				frames--
			}
			level := value
			if f > 10 && f < n-10 && f >= quiet && f < quiet+5 {
				level = 0
			}
			d.sound.Add(frames*packet, level)
		}
		d.wrote += int64(n) * packet
		s.ToMS = d.wrote + rnd.Int64N(15) // the reply comes a little after the frame
		if i == stretches-1 {
			s.ToMS = d.wrote
		}
		if len(d.clock) > 0 {
			s.FromMS = d.clock[i-1].ToMS
		}
		d.clock = append(d.clock, s)
		s.FromMS, s.ToMS = from, length(d.sound)
		d.truth = append(d.truth, s)
	}
	return d
}

// TestDrift: frames that are too many or missing, at any place, move no span by more
// than 60 ms.
func TestDrift(t *testing.T) {
	rnd := testkit.Rand(t, uint64(time.Now().UnixNano()))
	path := filepath.Join(t.TempDir(), call+".wav")
	for range 200 {
		d := drift(rnd)
		d.sound.Write(t, path)
		s := sample(call)
		s.File, s.Spans = &File{Began: day, Stopped: day.Add(time.Duration(d.wrote) * time.Millisecond)}, d.clock
		got, err := Examine(t.Context(), path, s)
		if err != nil {
			t.Fatal(err)
		}
		about := fmt.Sprintf("%d frames too many, %d missing\nclock %v\ntruth %v\ngot   %v\n%q", d.extra, d.lost, d.clock, d.truth, got.Spans, got.Problems)
		if len(got.Spans) != len(d.truth) || len(got.Problems) > 0 {
			t.Fatal(about)
		}
		for i, want := range d.truth {
			g := got.Spans[i]
			if away := max(g.FromMS-want.FromMS, want.FromMS-g.FromMS, g.ToMS-want.ToMS, want.ToMS-g.ToMS); away > 60 || g.State != want.State || g.Cause != want.Cause {
				t.Fatalf("span %d is %d ms away\n%s", i+1, away, about)
			}
		}
	}
}

// TestDigits: twenty digits before a pause, or in it, make the file 820 ms longer.
func TestDigits(t *testing.T) {
	for name, tc := range map[string]struct {
		sound *testkit.Clip
		want  []int64 // the edges
	}{
		"before the pause": {testkit.NewClip(2, 8000).Add(4820, tone).Add(3000, 0).Add(2000, tone), []int64{4820, 7820, 9820}},
		"in the pause":     {testkit.NewClip(2, 8000).Add(4000, tone).Add(3820, 0).Add(2000, tone), []int64{4000, 7820, 9820}},
		"after the pause":  {testkit.NewClip(2, 8000).Add(4000, tone).Add(3000, 0).Add(2820, tone), []int64{4000, 7000, 9820}},
		"half and half":    {testkit.NewClip(2, 8000).Add(4400, tone).Add(3000, 0).Add(2420, tone), []int64{4400, 7400, 9820}},
	} {
		path := filepath.Join(t.TempDir(), call+".wav")
		tc.sound.Write(t, path)
		s := sample(call)
		s.File = &File{Began: day, Stopped: day.Add(9 * time.Second)}
		s.Spans = []Span{{FromMS: 0, ToMS: 4005, State: StateRecording}, {FromMS: 4005, ToMS: 7004, State: StatePaused}, {FromMS: 7004, ToMS: 9000, State: StateRecording}}
		got, err := Examine(t.Context(), path, s)
		if err != nil || len(got.Problems) > 0 || len(got.Spans) != 3 || got.File.Began != day {
			t.Errorf("%s: %+v %q %v", name, got.Spans, got.Problems, err)
			continue
		}
		for i, at := range tc.want {
			if got.Spans[i].ToMS != at {
				t.Errorf("%s: %+v, want %v", name, got.Spans, tc.want)
				break
			}
		}
	}
}

// TestWaited: a file is shorter than its call by the time that the call waited in a
// queue. That is neither short nor a pause, and the pauses after it are at their
// place in the file.
func TestWaited(t *testing.T) {
	path := filepath.Join(t.TempDir(), call+".wav")
	testkit.NewClip(2, 8000).Add(2980, tone).Add(1000, 0).Add(2000, tone).Write(t, path)
	s := sample(call)
	s.File = &File{Began: day, Stopped: day.Add(18 * time.Second)}
	waiting := Span{FromMS: 1000, ToMS: 1000, WaitedMS: 12_000, State: StateWaiting}
	s.Spans = []Span{{FromMS: 0, ToMS: 1000, State: StateRecording}, waiting, {FromMS: 1000, ToMS: 3005, State: StateRecording},
		{FromMS: 3005, ToMS: 4002, State: StatePaused}, {FromMS: 4002, ToMS: 6000, State: StateRecording}}
	want := []Span{{FromMS: 0, ToMS: 1000, State: StateRecording}, waiting, {FromMS: 1000, ToMS: 2980, State: StateRecording},
		{FromMS: 2980, ToMS: 3980, State: StatePaused}, {FromMS: 3980, ToMS: 5980, State: StateRecording}}
	for range 2 {
		got, err := Examine(t.Context(), path, s)
		if err != nil || len(got.Problems) > 0 || !got.Complete || fmt.Sprint(got.Spans) != fmt.Sprint(want) {
			t.Fatalf("got  %v %q, %v\nwant %v", got.Spans, got.Problems, err, want)
		}
		var found []string
		heard, err := analyse(t.Context(), InProcess{}, path)
		if err != nil {
			t.Fatal(err)
		}
		if found = disagreements(got, heard); len(found) > 0 {
			t.Errorf("verify: %q", found)
		}
		s = got
	}
	s.Spans = []Span{{FromMS: 0, ToMS: 18_000, State: StateRecording}}
	if got, err := Examine(t.Context(), path, s); err != nil || !got.HasProblem(Short) || got.Complete {
		t.Errorf("without a wait it is short: %q, %v", got.Problems, err)
	}
}

// TestWaitingSilence: silence until it is known who answers is no pause, and speech in
// it is a problem.
func TestWaitingSilence(t *testing.T) {
	for name, tc := range map[string]struct {
		sound    *testkit.Clip
		problems string
	}{
		"silent":       {testkit.NewClip(2, 8000).Add(400, 0).Add(2000, tone), "[]"},
		"with a voice": {testkit.NewClip(2, 8000).Add(200, 0).Add(2200, tone), "[speech in a pause: from 200ms to 340ms]"},
	} {
		path := filepath.Join(t.TempDir(), call+".wav")
		tc.sound.Write(t, path)
		s := sample(call)
		s.File = &File{}
		s.Spans = []Span{{ToMS: 400, State: StateWaiting, Cause: Cause{Setting: Undecided}}, {FromMS: 400, ToMS: 2400, State: StateRecording}}
		if got, err := Examine(t.Context(), path, s); err != nil || fmt.Sprint(got.Problems) != tc.problems || len(got.Spans) != 2 {
			t.Errorf("%s: %v %q, %v", name, got.Spans, got.Problems, err)
		}
	}
}

// length is how long a clip is, in ms.
func length(c *testkit.Clip) int64 { return int64(len(c.Frames)) * 1000 / int64(c.Rate) }

// TestFitHolds: whatever the spans and the silences are, the spans that come of them
// cover the file, and only a wait of which nothing is in the file has no length.
func TestFitHolds(t *testing.T) {
	rnd := testkit.Rand(t, uint64(time.Now().UnixNano()))
	for range 20_000 {
		var spans []Span
		at := int64(0)
		for range rnd.IntN(14) {
			s := Span{FromMS: at, State: []string{StateRecording, StatePaused, StateWaiting}[rnd.IntN(3)]}
			if rnd.IntN(6) == 0 {
				s.State, s.WaitedMS = StateWaiting, 1+rnd.Int64N(3000)
			} else {
				at += rnd.Int64N(2000)
			}
			s.ToMS = at
			if rnd.IntN(5) == 0 {
				s.SlackMS = rnd.Int64N(1000)
			}
			spans = append(spans, s)
		}
		h := sound.Analysis{DurationMS: max(0, at+rnd.Int64N(3000)-1500)}
		pos := int64(0)
		for pos < h.DurationMS {
			from := pos
			if rnd.IntN(3) > 0 {
				from += rnd.Int64N(1500)
			}
			to := min(h.DurationMS, from+60+rnd.Int64N(1500))
			if from >= h.DurationMS-60 {
				break
			}
			h.Silences = append(h.Silences, sound.Silence{FromMS: from, ToMS: to})
			pos = to + 1
		}
		c := clocked{wrote: -1, concluded: rnd.IntN(4) == 0}
		if rnd.IntN(2) == 0 {
			c.wrote = at
		}
		got := fit(spans, h, c)
		end := int64(0)
		for i, s := range got {
			if s.FromMS != end || s.ToMS < s.FromMS || s.ToMS == s.FromMS && !s.gap() || s.ToMS > h.DurationMS || i > 0 && s.SlackMS < 0 {
				t.Fatalf("%v\n%v %v\n%v", spans, h, c, got)
			}
			end = s.ToMS
		}
		mismatches(got, h.Silences)
		misplaced(got, h.Silences)
	}
}
