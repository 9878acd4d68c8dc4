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

// truth is a file and the spans that it really has.
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
		if rnd.IntN(4) > 0 { // otherwise the next has another cause alone
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

// jittered are spans as a clock would have them.
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

// TestFit: whatever the spans are, what comes out agrees with the sound.
func TestFit(t *testing.T) {
	rnd := testkit.Rand(t, uint64(time.Now().UnixNano()))
	path := filepath.Join(t.TempDir(), call+".wav")
	for range 150 {
		tr := invent(rnd)
		tr.sound.Write(t, path)
		s := sample(call)
		s.File, s.Spans = &File{}, jittered(rnd, tr.spans)
		got, err := Examine(t.Context(), path, s, false)
		if err != nil {
			t.Fatal(err)
		}
		if !agree(got.Spans, tr.spans) || len(got.Problems) > 0 || !got.Complete {
			t.Fatalf("truth %v\nclock %v\ngot   %v\n%q", tr.spans, s.Spans, got.Spans, got.Problems)
		}
		again, err := Examine(t.Context(), path, got, false)
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Fatalf("the second time: %+v, %v\nthe first time: %+v", again, err, got)
		}
	}
}

// agree reports whether spans are the same within a millisecond where sound and
// silence change, and within the clock's 60 elsewhere.
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

func TestExamineProblems(t *testing.T) {
	speech := func(from, to int64) Span { return Span{FromMS: from, ToMS: to, State: StateRecording} }
	pause := func(from, to int64) Span { return Span{FromMS: from, ToMS: to, State: StatePaused} }
	late := func(ms int64, s Span) Span { s.SlackMS = ms; return s }
	for name, test := range map[string]struct {
		sound    *testkit.Clip
		spans    []Span
		want     []Span
		problems []string
	}{
		"speech in the middle of a pause": {
			testkit.NewClip(1, 8000).Add(1000, tone).Add(500, 0).Add(20, tone).Add(1480, 0), []Span{speech(0, 1000), pause(1000, 3000)},
			[]Span{speech(0, 1000), pause(1000, 3000)}, []string{"speech in a pause: from 1.5s to 1.52s"},
		},
		"a pause that was never made": {
			testkit.NewClip(1, 8000).Add(3000, tone), []Span{speech(0, 1000), pause(1000, 3000)},
			[]Span{speech(0, 1000), pause(1000, 3000)}, []string{"speech in a pause: from 1.06s to 2.94s"},
		},
		"a pause that began late": {
			testkit.NewClip(1, 8000).Add(1200, tone).Add(1800, 0), []Span{speech(0, 1000), pause(1000, 3000)},
			[]Span{speech(0, 1000), pause(1000, 3000)}, []string{"speech in a pause: from 1.06s to 1.2s"},
		},
		"a pause that ended early": {
			testkit.NewClip(1, 8000).Add(1000, 0).Add(2000, tone), []Span{pause(0, 1200), speech(1200, 3000)},
			[]Span{pause(0, 1200), speech(1200, 3000)}, []string{"speech in a pause: from 1s to 1.14s"},
		},
		"a pause that ended early, as is admitted": {
			testkit.NewClip(1, 8000).Add(1000, 0).Add(2000, tone), []Span{pause(0, 1200), late(250, speech(1200, 3000))},
			[]Span{pause(0, 1000), speech(1000, 3000)}, nil,
		},
		"a pause that may have been over at once": {
			testkit.NewClip(1, 8000).Add(2000, tone), []Span{speech(0, 1000), pause(1000, 1400), late(380, speech(1400, 2000))},
			[]Span{speech(0, 1000), pause(1000, 1400), late(380, speech(1400, 2000))}, nil,
		},
		"a short silence just before the pause": {
			testkit.NewClip(1, 8000).Add(920, tone).Add(60, 0).Add(20, tone).Add(1000, 0), []Span{speech(0, 940), pause(940, 2000)},
			[]Span{speech(0, 1000), pause(1000, 2000)}, nil,
		},
		"speech within the edges": {
			testkit.NewClip(1, 8000).Add(59, tone).Add(1000, 0), []Span{pause(0, 1059)}, []Span{pause(0, 1059)}, nil,
		},
		"a pause all along with speech at its start": {
			testkit.NewClip(1, 8000).Add(80, tone).Add(1000, 0), []Span{pause(0, 1080)}, []Span{pause(0, 1080)},
			[]string{"speech in a pause: from 60ms to 80ms"},
		},
		"silent": {
			testkit.NewClip(2, 8000).Add(2000, 0), []Span{speech(0, 2000)}, []Span{speech(0, 2000)}, []string{"silent: from 0s to 2s"},
		},
		"silent for less than two seconds": {
			testkit.NewClip(2, 8000).Add(1980, 0), []Span{speech(0, 1980)}, []Span{speech(0, 1980)}, nil,
		},
		"a sound in two seconds": {
			testkit.NewClip(2, 8000).Add(1000, 0).Add(20, 1).Add(1500, 0), []Span{speech(0, 2520)}, []Span{speech(0, 2520)}, nil,
		},
		"causes in one state": {
			testkit.NewClip(1, 8000).Add(1000, tone).Add(1000, 0), []Span{speech(0, 990), pause(990, 1500), {1500, 2000, 0, StatePaused, Cause{User: "bob"}}},
			[]Span{speech(0, 1000), pause(1000, 1500), {1500, 2000, 0, StatePaused, Cause{User: "bob"}}}, nil,
		},
		"gaps, overlaps, no length, twice the same": {
			testkit.NewClip(1, 8000).Add(2000, tone), []Span{speech(40, 500), speech(520, 900), {900, 900, 0, StateRecording, Cause{User: "bob"}}, speech(700, 1990)},
			[]Span{speech(0, 2000)}, nil,
		},
		"spans that end early": {
			testkit.NewClip(1, 8000).Add(2000, tone), []Span{speech(0, 1499)}, []Span{speech(0, 1499)}, []string{"state unknown: of the last 501 ms"},
		},
		"spans that end 500 ms early": {
			testkit.NewClip(1, 8000).Add(2000, tone), []Span{speech(0, 1500)}, []Span{speech(0, 2000)}, nil,
		},
		"no spans": {testkit.NewClip(1, 8000).Add(2000, tone), nil, []Span{}, []string{"state unknown: of the last 2000 ms"}},
		"no sound": {testkit.NewClip(1, 8000), []Span{speech(0, 300), pause(300, 400)}, []Span{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.wav")
			test.sound.Write(t, path)
			s := sample(call)
			s.Spans, s.File = test.spans, &File{}
			got, err := Examine(t.Context(), path, s, false)
			if err != nil || !slices.Equal(got.Spans, test.want) || !slices.Equal(got.Problems, test.problems) {
				t.Errorf("got  %v %q, %v\nwant %v %q", got.Spans, got.Problems, err, test.want, test.problems)
			}
		})
	}
}

func TestExamineFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), call+".wav")
	examine := func(repair bool, change func(*Sidecar)) Sidecar {
		t.Helper()
		s := sample(call)
		change(&s)
		got, err := Examine(t.Context(), path, s, repair)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	same := func(*Sidecar) {}
	expect := func(got Sidecar, complete bool, problems ...string) {
		t.Helper()
		if !slices.Equal(got.Problems, problems) || got.Complete != complete {
			t.Errorf("complete %v %q, want %v %q", got.Complete, got.Problems, complete, problems)
		}
	}
	got := examine(true, same)
	if expect(got, false, FileMissing); got.File != nil {
		t.Errorf("no file: %+v", got.File)
	}
	expect(examine(true, func(s *Sidecar) { s.File, s.Problems = nil, []string{NotStarted} }), false, NotStarted)
	expect(examine(true, func(s *Sidecar) { s.File = nil }), false, FileMissing)

	sampleSound().Write(t, path)
	got = examine(true, same)
	expect(got, true)
	if f := got.File; f.Name != call+".wav" || f.Bytes != 64044 || f.DurationMS != 2000 || f.Channels != 2 || f.Rate != 8000 || f.Began != day {
		t.Errorf("%+v", f)
	}
	expect(examine(true, func(s *Sidecar) { s.File = nil }), true)
	expect(examine(true, func(s *Sidecar) { s.Problems = []string{NoStopEvent} }), true, NoStopEvent)
	expect(examine(true, func(s *Sidecar) { s.Problems = []string{Lost} }), false, Lost)
	expect(examine(true, func(s *Sidecar) { s.File.Stopped = day.Add(2500 * time.Millisecond) }), true)
	expect(examine(true, func(s *Sidecar) { s.File.Stopped = day.Add(2501 * time.Millisecond) }), false, "short: 501 ms are missing")
	expect(examine(true, func(s *Sidecar) { s.File.Stopped, s.Ended = time.Time{}, day.Add(3*time.Second) }), false, "short: 1000 ms are missing")

	file := sampleSound().WAV()
	testkit.WriteFile(t, path, slices.Concat(file[:4], []byte{8, 0, 0, 0}, file[8:40], []byte{0, 0, 0, 0}, file[44:]))
	expect(examine(false, same), true)
	expect(examine(true, same), false, FileRepaired)
	expect(examine(true, same), true)

	testkit.WriteFile(t, path, []byte("something"))
	expect(examine(true, same), false, "unreadable: it is no WAV file")
}

// TestFitPauseOfTwoCauses: the end of a pause moves back beyond the place where
// its cause changed.
func TestFitPauseOfTwoCauses(t *testing.T) {
	a, b := Cause{Element: "ring_group/sales"}, Cause{Toggle: "dtmf"}
	got := fit([]Span{{ToMS: 9460, State: StateRecording}, {FromMS: 9460, ToMS: 11174, State: StatePaused, Cause: a},
		{FromMS: 11174, ToMS: 11175, State: StatePaused, Cause: b}, {FromMS: 11175, ToMS: 12660, State: StateRecording, Cause: b}},
		sound.Analysis{DurationMS: 12660, Silences: []sound.Silence{{FromMS: 9460, ToMS: 11100}}})
	want := []Span{{ToMS: 9460, State: StateRecording}, {FromMS: 9460, ToMS: 11100, State: StatePaused, Cause: a},
		{FromMS: 11100, ToMS: 12660, State: StateRecording, Cause: b}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestFitDoubtfulPause: a pause that may not have been one is what is silent.
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
		if got := fit(clock, sound.Analysis{DurationMS: 5000, Silences: tc.silences}); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("silent %v: got %+v, want %+v", tc.silences, got, tc.want)
		}
	}
}

// TestFitDoubt: where there may have been a pause, the audio says whether.
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
		if got := fit(clock, sound.Analysis{DurationMS: 5000, Silences: tc.silences}); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("silent %v: got %+v, want %+v", tc.silences, got, tc.want)
		}
	}
}
