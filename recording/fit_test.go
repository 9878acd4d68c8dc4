package recording

import (
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"tapedeck/internal/testkit"
	"tapedeck/recording/sound"
)

// truth is a file and its true spans.
type truth struct {
	sound *testkit.Clip
	spans []Span
}

// invent makes a file of pauses and speech, with natural silences in the speech,
// away from its edges.
func invent(rnd *rand.Rand) truth {
	tr := truth{sound: testkit.NewClip(1+rnd.IntN(2), 8000)}
	paused := rnd.IntN(2) == 0
	var at int64
	for i := range 1 + rnd.IntN(9) {
		ms := 20 * (15 + rnd.Int64N(60)) // 300 to 1480
		s := Span{FromMS: at, ToMS: at + ms, State: StateRecording, Cause: Cause{Setting: "yes", User: string(rune('a' + i))}}
		if paused {
			s.State = StatePaused
			tr.sound.Add(ms, 0)
		} else {
			tr.speak(rnd, ms)
		}
		tr.spans = append(tr.spans, s)
		at += ms
		if rnd.IntN(4) > 0 { // otherwise only the cause changes
			paused = !paused
		}
	}
	return tr
}

func (tr *truth) speak(rnd *rand.Rand, ms int64) {
	if ms < 700 || rnd.IntN(2) == 0 {
		tr.sound.Add(ms, tone)
		return
	}
	silence := 20 * (1 + rnd.Int64N(10))
	tr.sound.Add(250, tone).Add(silence, 0).Add(ms-250-silence, tone)
}

// jittered returns spans as a clock would take them.
func jittered(rnd *rand.Rand, spans []Span) []Span {
	out := slices.Clone(spans)
	for i := range out {
		at := spans[i].ToMS + rnd.Int64N(121) - 60
		if out[i].ToMS = at; i+1 < len(out) {
			out[i+1].FromMS = at
			if rnd.IntN(3) == 0 { // not confirmed for a while
				out[i+1].SlackMS = rnd.Int64N(200)
			}
		}
	}
	return out
}

// TestFit: the fitted spans agree with the sound, whatever the spans were.
func TestFit(t *testing.T) {
	rnd := testkit.Rand(t, uint64(time.Now().UnixNano()))
	path := filepath.Join(t.TempDir(), call+".wav")
	for range 150 {
		tr := invent(rnd)
		tr.sound.Write(t, path)
		s := sample(call)
		s.File, s.Spans = &File{}, jittered(rnd, tr.spans)
		got, err := Examine(t.Context(), path, s)
		if err != nil {
			t.Fatal(err)
		}
		if !agree(got.Spans, tr.spans) || len(got.Problems) > 0 || !got.Complete {
			t.Fatalf("truth %v\nclock %v\ngot   %v\n%q", tr.spans, s.Spans, got.Spans, got.Problems)
		}
		again, err := Examine(t.Context(), path, got)
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Fatalf("the second time: %+v, %v\nthe first time: %+v", again, err, got)
		}
	}
}

// agree reports whether spans are equal: within 1 ms where sound and silence change,
// and within 60 ms, as the clock's, elsewhere.
func agree(got, want []Span) bool {
	if len(got) != len(want) || got[0].FromMS != 0 {
		return false
	}
	for i, w := range want {
		g, allowed := got[i], int64(1)
		if i > 0 && g.FromMS != got[i-1].ToMS || g.State != w.State || g.Cause != w.Cause {
			return false
		}
		if i+1 < len(want) && want[i+1].State == w.State {
			allowed = 60
		}
		if away := g.ToMS - w.ToMS; max(away, -away) > allowed {
			return false
		}
	}
	return true
}

// TestFitPauseOfTwoCauses: the end of a pause moves back beyond the place where
// its cause changed.
func TestFitPauseOfTwoCauses(t *testing.T) {
	a, b := Cause{Element: "ring_group/sales"}, Cause{Toggle: "dtmf"}
	got := fit([]Span{{ToMS: 9460, State: StateRecording}, {FromMS: 9460, ToMS: 11174, State: StatePaused, Cause: a},
		{FromMS: 11174, ToMS: 11175, State: StatePaused, Cause: b}, {FromMS: 11175, ToMS: 12660, State: StateRecording, Cause: b}},
		sound.Analysis{DurationMS: 12660, Silences: []sound.Silence{{FromMS: 9460, ToMS: 11100}}}, clocked{wrote: -1})
	want := []Span{{ToMS: 9460, State: StateRecording}, {FromMS: 9460, ToMS: 11100, State: StatePaused, Cause: a},
		{FromMS: 11100, ToMS: 12660, State: StateRecording, Cause: b}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestFitPauseInParts: a pause that a short wait interrupts is silent as a whole. Its
// edges move to the silence's, beyond the edges inside it.
func TestFitPauseInParts(t *testing.T) {
	bob, undecided, press := Cause{Element: "user/bob"}, Cause{Setting: Undecided}, Cause{Toggle: "dtmf"}
	clock := []Span{{ToMS: 5000, State: StateRecording}, {FromMS: 5000, ToMS: 5030, State: StatePaused, Cause: bob},
		{FromMS: 5030, ToMS: 5055, State: StateWaiting, Cause: undecided}, {FromMS: 5055, ToMS: 5080, State: StatePaused, Cause: press},
		{FromMS: 5080, ToMS: 9000, State: StateRecording, Cause: press}}
	for _, silence := range []sound.Silence{{FromMS: 4960, ToMS: 5010}, {FromMS: 5070, ToMS: 5140}, {FromMS: 5000, ToMS: 5050}} {
		got := fit(slices.Clone(clock), sound.Analysis{DurationMS: 9000, Silences: []sound.Silence{silence}}, clocked{wrote: -1})
		first := slices.IndexFunc(got, Span.Silent)
		if last := len(got) - 2; first != 1 || got[first].FromMS != silence.FromMS || got[last].ToMS != silence.ToMS || !got[last].Silent() {
			t.Errorf("silent %v: got %+v", silence, got)
		}
	}
}

// TestFitOneTick: a file of a packet or two may begin and end within one tick of
// FreeSWITCH's clock. Its last span has all of it.
func TestFitOneTick(t *testing.T) {
	got := fit([]Span{{State: StateWaiting}, {State: StateRecording}}, sound.Analysis{DurationMS: 20}, clocked{})
	if want := []Span{{ToMS: 20, State: StateRecording}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestFitDoubtfulPause: of a pause that may not have been one, only what is silent
// remains.
func TestFitDoubtfulPause(t *testing.T) {
	clock := []Span{{ToMS: 3000, State: StatePaused}, {FromMS: 3000, ToMS: 5000, SlackMS: 3000, State: StateRecording}}
	for _, tc := range []struct {
		silences []sound.Silence
		want     []Span
	}{
		{[]sound.Silence{{FromMS: 0, ToMS: 2980}}, []Span{{ToMS: 2980, State: StatePaused}, {FromMS: 2980, ToMS: 5000, State: StateRecording}}},
		{[]sound.Silence{{FromMS: 0, ToMS: 1000}}, []Span{{ToMS: 1000, State: StatePaused}, {FromMS: 1000, ToMS: 5000, State: StateRecording}}},
		{[]sound.Silence{{FromMS: 800, ToMS: 900}}, []Span{{ToMS: 5000, State: StateRecording}}},
		{nil, []Span{{ToMS: 5000, State: StateRecording}}},
	} {
		if got := fit(clock, sound.Analysis{DurationMS: 5000, Silences: tc.silences}, clocked{wrote: -1}); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("silent %v: got %+v, want %+v", tc.silences, got, tc.want)
		}
	}
}

// TestFitDoubt: where there may have been a pause, the sound decides.
func TestFitDoubt(t *testing.T) {
	clock := []Span{{ToMS: 2979, State: StateRecording}, {FromMS: 2979, ToMS: 2980, SlackMS: 700, State: StatePaused}, {FromMS: 2980, ToMS: 5000, State: StateRecording}}
	none := []Span{{ToMS: 5000, State: StateRecording}}
	for _, tc := range []struct {
		silences []sound.Silence
		want     []Span
	}{
		{[]sound.Silence{{FromMS: 2640, ToMS: 2960}}, []Span{{ToMS: 2640, State: StateRecording}, {FromMS: 2640, ToMS: 2960, State: StatePaused}, {FromMS: 2960, ToMS: 5000, State: StateRecording}}},
		{nil, none},
		{[]sound.Silence{{FromMS: 2400, ToMS: 2500}}, none},
		{[]sound.Silence{{FromMS: 2900, ToMS: 4000}}, none},
	} {
		if got := fit(clock, sound.Analysis{DurationMS: 5000, Silences: tc.silences}, clocked{wrote: -1}); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("silent %v: got %+v, want %+v", tc.silences, got, tc.want)
		}
	}
}

// TestFitDoubtUntilALateReply: the unmask that ended what may have been a pause was
// carried out some time before its reply came.
func TestFitDoubtUntilALateReply(t *testing.T) {
	clock := []Span{{ToMS: 2979, State: StateRecording}, {FromMS: 2979, ToMS: 2980, SlackMS: 1700, State: StatePaused},
		{FromMS: 2980, ToMS: 5000, SlackMS: 500, State: StateRecording}}
	for _, tc := range []struct {
		silences []sound.Silence
		want     []Span
	}{
		{[]sound.Silence{{FromMS: 1640, ToMS: 2560}, {FromMS: 2700, ToMS: 2740}},
			[]Span{{ToMS: 1640, State: StateRecording}, {FromMS: 1640, ToMS: 2560, State: StatePaused}, {FromMS: 2560, ToMS: 5000, State: StateRecording}}},
		{[]sound.Silence{{FromMS: 1640, ToMS: 2300}}, []Span{{ToMS: 5000, State: StateRecording}}},
	} {
		got := fit(slices.Clone(clock), sound.Analysis{DurationMS: 5000, Silences: tc.silences}, clocked{wrote: -1})
		if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("silent %v: got %+v, want %+v", tc.silences, got, tc.want)
		}
	}
}

// TestFitAllSilent: a file that is silent from beginning to end shows no edge of its
// pauses, and they stay where the clock has them.
func TestFitAllSilent(t *testing.T) {
	clock := []Span{{ToMS: 1500, State: StateRecording}, {FromMS: 1500, ToMS: 2900, State: StatePaused}}
	for _, wrote := range []int64{-1, 2900, 4000} {
		got := fit(slices.Clone(clock), sound.Analysis{DurationMS: 2900, Silences: []sound.Silence{{ToMS: 2900}}}, clocked{wrote: wrote})
		if !reflect.DeepEqual(got, clock) {
			t.Errorf("written for %d ms: got %+v, want %+v", wrote, got, clock)
		}
	}
}

// TestFitMoment: a wait of less than a packet is no span, even if it becomes so short
// only when it is fitted to the sound.
func TestFitMoment(t *testing.T) {
	undecided, bob := Cause{Setting: Undecided}, Cause{Element: "user/bob", Setting: "no"}
	for _, tc := range []struct {
		clock, want []Span
		silence     sound.Silence
	}{
		{[]Span{{ToMS: 30, State: StateWaiting, Cause: undecided}, {FromMS: 30, ToMS: 5000, State: StateRecording}},
			[]Span{{ToMS: 5000, State: StateRecording}}, sound.Silence{ToMS: 12}},
		{[]Span{{ToMS: 30, State: StateWaiting, Cause: undecided}, {FromMS: 30, ToMS: 5000, State: StateRecording}},
			[]Span{{ToMS: 40, State: StateWaiting, Cause: undecided}, {FromMS: 40, ToMS: 5000, State: StateRecording}}, sound.Silence{ToMS: 40}},
		{[]Span{{ToMS: 1560, State: StateRecording}, {FromMS: 1560, ToMS: 1570, State: StateWaiting, Cause: bob}, {FromMS: 1570, ToMS: 5000, State: StatePaused, Cause: bob}},
			[]Span{{ToMS: 1556, State: StateRecording}, {FromMS: 1556, ToMS: 5000, State: StatePaused, Cause: bob}}, sound.Silence{FromMS: 1556, ToMS: 5000}},
	} {
		got := fit(slices.Clone(tc.clock), sound.Analysis{DurationMS: 5000, Silences: []sound.Silence{tc.silence}}, clocked{wrote: -1})
		if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("silent %v: got %+v, want %+v", tc.silence, got, tc.want)
		}
	}
}
