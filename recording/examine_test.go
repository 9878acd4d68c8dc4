package recording

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tapedeck/internal/testkit"
)

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
			testkit.NewClip(1, 8000).Add(1000, tone).Add(1000, 0), []Span{speech(0, 990), pause(990, 1500), {1500, 2000, 0, 0, StatePaused, Cause{User: "bob"}}},
			[]Span{speech(0, 1000), pause(1000, 1500), {1500, 2000, 0, 0, StatePaused, Cause{User: "bob"}}}, nil,
		},
		"gaps, overlaps, no length, twice the same": {
			testkit.NewClip(1, 8000).Add(2000, tone), []Span{speech(40, 500), speech(520, 900), {900, 900, 0, 0, StateRecording, Cause{User: "bob"}}, speech(700, 1990)},
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
			got, err := Examine(t.Context(), path, s)
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
		mend := func() error { return dirOf(t, filepath.Dir(path)).repairHeader(path) }
		if !repair {
			mend = nil
		}
		got, err := examine(t.Context(), InProcess{}, path, s, mend)
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
	for _, parties := range [][]string{nil, {PartyBoth}, {PartyOwn, PartyHeard}, {PartyBoth, PartyBoth}} {
		want := parties
		if len(parties) != 2 { // it is not known who is in two channels
			want = nil
		}
		if f := examine(true, func(s *Sidecar) { s.File.Parties = parties }).File; !slices.Equal(f.Parties, want) {
			t.Errorf("parties %q, want %q", f.Parties, want)
		}
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
