package files

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"tapedeck/recording"
	"tapedeck/toggle"
)

var t0 = time.Date(2026, 3, 9, 10, 0, 0, 0, time.UTC)

func at(ms int) time.Time { return t0.Add(time.Duration(ms) * time.Millisecond) }

func because(element string) func() recording.Cause {
	return func() recording.Cause { return recording.Cause{Element: element, Setting: "yes"} }
}

// spans are a part's spans as text, up to 10 s.
func spans(p *Part) string {
	var text []string
	for _, s := range p.Spans(at(10_000)) {
		one := fmt.Sprintf("%d-%d %s %s", s.FromMS, s.ToMS, s.State, s.Cause.Element)
		if s.WaitedMS > 0 {
			one = fmt.Sprintf("%d waiting for %d", s.FromMS, s.WaitedMS)
		}
		if s.SlackMS > 0 {
			one += fmt.Sprintf(" slack %d", s.SlackMS)
		}
		text = append(text, one)
	}
	return strings.Join(text, "; ")
}

// TestFollow: what a file holds, from what toggle knew at each time.
func TestFollow(t *testing.T) {
	on := toggle.State{On: true, Answered: true}
	with := func(file toggle.File, pending toggle.Command) toggle.State {
		s := on
		s.File, s.Pending = file, pending
		return s
	}
	pausing := func(file toggle.File, pending toggle.Command) toggle.State {
		s := with(file, pending)
		s.Person = toggle.TurnedOff
		return s
	}
	type step struct {
		ms    int
		after toggle.State
	}
	for _, tc := range []struct {
		name  string
		first toggle.State
		steps []step
		want  string
	}{
		{"recorded from the answer", with(toggle.Armed, toggle.None),
			[]step{{0, with(toggle.Recording, toggle.None)}}, "0-10000 recording number/1"},
		{"a pause begins at some time between the command and its reply", with(toggle.Armed, toggle.None),
			[]step{{0, with(toggle.Recording, toggle.None)}, {2000, pausing(toggle.Recording, toggle.Mask)}, {2040, pausing(toggle.Masked, toggle.None)}},
			"0-2040 recording number/1; 2040-10000 paused number/1 slack 40"},
		{"a mask that nobody confirmed, and then an unmask: silent in between, perhaps", with(toggle.Armed, toggle.None),
			[]step{{0, with(toggle.Recording, toggle.None)}, {2000, with(toggle.Recording, toggle.Mask)}, {3000, with(toggle.Open, toggle.None)},
				{3000, with(toggle.Open, toggle.Unmask)}, {4000, with(toggle.Recording, toggle.None)}},
			"0-3999 recording number/1; 3999-4000 paused number/1 slack 1999; 4000-10000 recording number/1 slack 1000"},
		{"armed masked: it waits from the first packet on", with(toggle.ArmedMasked, toggle.None),
			[]step{{0, with(toggle.Masked, toggle.None)}}, "0-10000 waiting number/1"},
		{"a wait of less than a packet is none", with(toggle.ArmedMasked, toggle.None),
			[]step{{0, with(toggle.Open, toggle.Unmask)}, {19, with(toggle.Recording, toggle.None)}}, "0-10000 recording number/1"},
		{"a wait of a packet", with(toggle.ArmedMasked, toggle.None),
			[]step{{0, with(toggle.Open, toggle.Unmask)}, {20, with(toggle.Recording, toggle.None)}}, "0-20 waiting number/1; 20-10000 recording number/1 slack 20"},
		{"two short waits one after the other, and speech around them", with(toggle.Armed, toggle.None),
			[]step{{0, with(toggle.Recording, toggle.None)}, {2000, with(toggle.Masked, toggle.None)}, {2010, with(toggle.Recording, toggle.None)},
				{3000, with(toggle.Masked, toggle.None)}, {3010, with(toggle.Recording, toggle.None)}}, "0-10000 recording number/1"},
		{"a wait that may have been longer: the mask's reply came late", with(toggle.Armed, toggle.None),
			[]step{{0, with(toggle.Recording, toggle.None)}, {2000, pausing(toggle.Recording, toggle.Mask)}, {2480, with(toggle.Masked, toggle.Unmask)},
				{2485, with(toggle.Recording, toggle.None)}},
			"0-2480 recording number/1; 2480-2485 waiting number/1 slack 480; 2485-10000 recording number/1 slack 5"},
		{"the replies to mask and unmask came late, at once", with(toggle.Armed, toggle.None),
			[]step{{0, with(toggle.Recording, toggle.None)}, {2000, pausing(toggle.Recording, toggle.Mask)}, {2480, with(toggle.Masked, toggle.Unmask)},
				{2480, with(toggle.Recording, toggle.None)}},
			"0-2479 recording number/1; 2479-2480 waiting number/1 slack 479; 2480-10000 recording number/1"},
		{"disarmed, but the answer was earlier and has started it masked", with(toggle.NoFile, toggle.None),
			[]step{{0, with(toggle.Open, toggle.Unmask)}, {700, with(toggle.Recording, toggle.None)}},
			"0-700 waiting number/1; 700-10000 recording number/1 slack 700"},
		{"what might have started has not", with(toggle.Open, toggle.None),
			[]step{{0, with(toggle.Open, toggle.None)}, {500, with(toggle.NoFile, toggle.None)}}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var f Files
			f.Add("/spool/a.wav")
			before := tc.first
			for _, s := range tc.steps {
				f.Follow(before, s.after, because("number/1"), at(s.ms))
				before = s.after
			}
			if got := spans(f.Last()); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestFollowLateStart: the answer has started the file masked at 0 s, and nobody said so
// for 2 s. Then it is started again, and unmasked. Until that it may be silent, and the
// sound decides (fault seed 92). At 5 s somebody pauses.
func TestFollowLateStart(t *testing.T) {
	const waits, pause = "0-2400 waiting number/1; 2400-5040 recording number/1 slack 2400", "; 5040-10000 paused number/1 slack 40"
	pausing := func(file toggle.File, pending toggle.Command) toggle.State {
		return toggle.State{On: true, Person: toggle.TurnedOff, Answered: true, File: file, Pending: pending, Problems: toggle.NotStarted}
	}
	with := func(file toggle.File, pending toggle.Command) toggle.State {
		return toggle.State{On: true, Answered: true, File: file, Pending: pending, Problems: toggle.NotStarted}
	}
	for _, tc := range []struct {
		name  string
		armed toggle.File
		began int  // ms at which RECORD_START says that it began
		heard int  // ms at which RECORD_START comes; 0: never
		spoke bool // and says that the answer has not masked it
		want  string
	}{
		{"RECORD_START comes before the reply", toggle.ArmedMasked, 0, 2300, false, waits + pause},
		{"RECORD_START comes after the reply", toggle.ArmedMasked, 0, 2500, false, waits + pause},
		{"RECORD_START never comes", toggle.ArmedMasked, 0, 0, false, waits + pause},
		{"armed with a mask perhaps", toggle.ArmedUnsure, 0, 2300, false, waits + pause},
		{"armed without a mask", toggle.Armed, 0, 2300, false, "0-5040 recording number/1" + pause},
		{"a permit let it begin with speech", toggle.ArmedMasked, 0, 2300, true, "0-5040 recording number/1" + pause},
		{"a permit let it begin with speech, and that is known after the reply", toggle.ArmedMasked, 0, 2500, true, "0-5040 recording number/1" + pause},
		{"the answer has not started it", toggle.ArmedMasked, 2210, 2300, false, "0-2830 recording number/1; 2830-7790 paused number/1 slack 40"},
		{"the answer has not started it, and RECORD_START comes after the reply", toggle.ArmedMasked, 2210, 2500, false, "0-2830 recording number/1; 2830-7790 paused number/1 slack 40"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var f Files
			p := f.Add("/spool/a.wav")
			before := toggle.State{On: true, Answered: true, File: tc.armed}
			for _, s := range []struct {
				ms    int
				after toggle.State
			}{{2200, with(toggle.NoFile, toggle.Start)}, {2300, with(toggle.Recording, toggle.Start)}, {2400, with(toggle.Recording, toggle.None)},
				{5000, pausing(toggle.Recording, toggle.Mask)}, {5040, pausing(toggle.Masked, toggle.None)}} {
				if s.ms == 2300 && tc.heard != 2300 {
					continue
				}
				if tc.heard > 0 && s.ms >= tc.heard && !p.Confirmed {
					if tc.spoke {
						p.Speech()
					}
					p.Begin(at(tc.began))
				}
				f.Follow(before, s.after, because("number/1"), at(s.ms))
				before = s.after
			}
			if tc.heard == 0 {
				p.End(at(10_000), 10_000)
			}
			if got := spans(p); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestFollowPastTheEnd: the reply to a mask came after the file had ended. Its pause was
// in the file: FreeSWITCH would have refused it later.
func TestFollowPastTheEnd(t *testing.T) {
	rec := toggle.State{On: true, Answered: true, Begun: true, File: toggle.Recording}
	var f Files
	f.Add("/spool/a.wav")
	armed := rec
	armed.File = toggle.Armed
	f.Follow(armed, rec, because("number/1"), at(0))
	asked := rec
	asked.Person, asked.Pending = toggle.TurnedOff, toggle.Mask
	f.Follow(rec, asked, because("number/1"), at(4700))
	masked := asked
	masked.File, masked.Pending = toggle.Masked, toggle.None
	f.Follow(asked, masked, because("user/bob"), at(5300))
	f.Last().End(at(5000), 5000)
	if got, want := spans(f.Last()), "0-4999 recording number/1; 4999-5000 paused user/bob slack 299"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestOrigin: a file that a person asked for says so.
func TestOrigin(t *testing.T) {
	cause := recording.Cause{Toggle: "dtmf", User: "alice"}
	if o := OriginOf(toggle.State{Person: toggle.TurnedOn}, cause); o.Trigger != OnDemand || o.By != "alice" || o.Decided != cause {
		t.Errorf("on demand: %+v", o)
	}
	if o := OriginOf(toggle.State{On: true}, recording.Cause{Element: "user/bob"}); o.Trigger != Automatic || o.By != "" {
		t.Errorf("automatic: %+v", o)
	}
}

// TestEnd: the length in RECORD_STOP corrects a beginning that was concluded, or
// whose RECORD_START came late by our clock, and no other.
func TestEnd(t *testing.T) {
	for _, tc := range []struct {
		name      string
		confirmed bool
		made      bool // FreeSWITCH's time of RECORD_START is known
		began     int
		ms        int
		waits     []Wait
		want      int
	}{
		{"RECORD_START in time", true, false, 0, 9990, nil, 0},
		{"RECORD_START 200 ms late", true, false, 200, 10_000, nil, 0},
		{"820 ms too many, for digits", true, true, 0, 10_820, nil, 0},
		{"a file that lost a second keeps its beginning", true, false, 0, 9000, nil, 0},
		{"concluded", false, false, 700, 9500, nil, 500},
		{"concluded, with a wait", false, false, 700, 6500, []Wait{{at(2000), at(5000)}}, 500},
		{"no length", false, false, 700, 0, nil, 700},
	} {
		p := Part{rests: rests{Waits: tc.waits}, Began: at(tc.began), Confirmed: tc.confirmed, Edges: []Edge{{At: at(tc.began), Since: at(tc.began), State: recording.StateRecording}}}
		if tc.made {
			p.Made = at(tc.began)
		}
		p.End(at(10_000), tc.ms)
		if !p.Began.Equal(at(tc.want)) || !p.Stopped.Equal(at(10_000)) || !p.Edges[0].At.Equal(at(tc.want)) {
			t.Errorf("%s: began %v, first edge %v; want %v", tc.name, p.Began, p.Edges[0].At, at(tc.want))
		}
	}
}

// TestWaits: time in which FreeSWITCH wrote nothing is not in the file. It is a span
// without length, and what comes after it is earlier in the file than by the clock.
func TestWaits(t *testing.T) {
	rec, paused := recording.StateRecording, recording.StatePaused
	edge := func(ms int, state string) Edge {
		return Edge{At: at(ms), Since: at(ms - 10), State: state, Cause: because(state[:1])()}
	}
	for _, tc := range []struct {
		name  string
		edges []Edge
		waits []Wait
		since int // still waiting since; 0: not
		want  string
	}{
		{"in the middle of speech", []Edge{edge(0, rec)}, []Wait{{at(3000), at(7000)}}, 0,
			"0-3000 recording r; 3000 waiting for 4000; 3000-6000 recording r"},
		{"a pause after it", []Edge{edge(0, rec), edge(8000, paused)}, []Wait{{at(3000), at(7000)}}, 0,
			"0-3000 recording r; 3000 waiting for 4000; 3000-4000 recording r; 4000-6000 paused p slack 10"},
		{"a press during it", []Edge{edge(0, rec), edge(5000, paused)}, []Wait{{at(3000), at(7000)}}, 0,
			"0-3000 recording r; 3000 waiting for 4000; 3000-3000 recording r; 3000-6000 paused p"},
		{"from before the file's beginning", []Edge{edge(0, rec)}, []Wait{{at(-500), at(7000)}}, 0,
			"0 waiting for 7000; 0-3000 recording r"},
		{"still", []Edge{edge(0, rec)}, nil, 6000, "0-6000 recording r; 6000 waiting for 4000; 6000-6000 recording r"},
		{"two", []Edge{edge(0, rec), edge(4000, paused)}, []Wait{{at(1000), at(2000)}, {at(5000), at(7000)}}, 0,
			"0-1000 recording r; 1000 waiting for 1000; 1000-3000 recording r; 3000-4000 paused p slack 10; 4000 waiting for 2000; 4000-7000 paused p"},
	} {
		tc.edges[0].Since = at(0)
		var f Files
		p := f.Add("/spool/a.wav")
		p.Began, p.Confirmed, p.Edges, p.Waits = at(0), true, tc.edges, tc.waits
		if tc.since > 0 {
			f.Wait(at(tc.since))
		}
		got := spans(p)
		if got != tc.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tc.name, got, tc.want)
		}
		var later Files
		later.Add("/spool/a.wav")
		later.Recall([]recording.Sidecar{{Spans: p.Spans(at(10_000)), File: &recording.File{Began: p.Began}}}, Known{Confirmed: true})
		if again := spans(later.Last()); again != got && tc.name != "a press during it" { // the press is then at the end of the wait
			t.Errorf("%s, recalled:\ngot  %s\nwant %s", tc.name, again, got)
		}
	}
}

// TestWaitGoesOn: a call that is taken over while it waits has waited all along.
func TestWaitGoesOn(t *testing.T) {
	var f Files
	p := f.Add("/spool/a.wav")
	p.Began, p.Edges = at(0), []Edge{{At: at(0), Since: at(0), State: recording.StateRecording}}
	p.Waits = []Wait{{at(2000), at(3000)}} // as in the draft
	f.Wait(at(2900))
	f.Resume(at(8000))
	if got, want := spans(p), "0-2000 recording ; 2000 waiting for 6000; 2000-4000 recording "; got != want || f.Waiting() {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	f.Wait(at(9000))
	if next := f.Add("/spool/b.wav"); next.Waiting != at(9000) {
		t.Errorf("the next file waits since %v", next.Waiting)
	}
}

// TestHold: what a file lacks while the recorded phone held the other party is a wait;
// what it lacks beyond that is missing.
func TestHold(t *testing.T) {
	for _, tc := range []struct {
		name   string
		ms     int
		unhold int // 0: not before the end
		want   string
	}{
		{"sound all along", 10_000, 7000, "0-10000 recording "},
		{"nothing was written", 6000, 7000, "0-3000 recording ; 3000 waiting for 4000; 3000-6000 recording "},
		{"some of it was written", 8500, 7000, "0-3000 recording ; 3000 waiting for 1500; 3000-8500 recording "},
		{"more is missing", 4000, 7000, "0-3000 recording ; 3000 waiting for 4000; 3000-6000 recording "},
		{"until the end", 3000, 0, "0-3000 recording ; 3000 waiting for 7000; 3000-3000 recording "},
	} {
		var f Files
		p := f.Add("/spool/a.wav")
		p.Began, p.Made, p.Confirmed = at(0), at(0), true
		p.Edges = []Edge{{At: at(0), Since: at(0), State: recording.StateRecording}}
		f.Hold(at(3000))
		if !f.MayRest() {
			t.Errorf("%s: it must grow", tc.name)
		}
		if tc.unhold > 0 {
			f.Unhold(at(tc.unhold))
		}
		f.End(p, at(10_000), tc.ms)
		if got := spans(p); got != tc.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tc.name, got, tc.want)
		}
	}
}

// TestRecall: a part that is described and recalled says the same again.
func TestRecall(t *testing.T) {
	p := Part{N: 1, Began: at(0), Confirmed: true, Origin: Origin{OnDemand, "alice", recording.Cause{Toggle: "dtmf"}}, Problems: []string{"lost"}, Edges: []Edge{
		{at(0), at(0), recording.StateRecording, recording.Cause{Element: "user/bob"}}, {at(2040), at(2000), recording.StatePaused, recording.Cause{Toggle: "dtmf"}}}}
	s := recording.Sidecar{Trigger: p.Origin.Trigger, RequestedBy: p.Origin.By, Decided: p.Origin.Decided, Problems: p.Problems,
		Spans: p.Spans(at(5000)), File: &recording.File{Began: p.Began}}
	var f Files
	f.Add("/spool/a.wav")
	f.Recall([]recording.Sidecar{s, {Part: 7}}, Known{Since: at(3000), Confirmed: true})
	got := f.Last()
	if !slices.Equal(got.Edges, p.Edges) || got.Origin != p.Origin || !slices.Equal(got.Problems, p.Problems) || !got.Began.Equal(p.Began) {
		t.Errorf("got %+v, want %+v", got, p)
	}
	if !f.UnsureSince().Equal(at(3000)) {
		t.Errorf("in doubt since %v", f.UnsureSince())
	}
}

// TestAssumeCarriedOut: a command was on its way when the owner died: what it asked for may be
// in the file since then.
func TestAssumeCarriedOut(t *testing.T) {
	f := Files{parts: []*Part{{Began: at(0), Edges: []Edge{{At: at(0), Since: at(0), State: recording.StateRecording}}}}}
	paused := toggle.State{On: true, Answered: true, Person: toggle.TurnedOff, File: toggle.Open}
	f.AssumeCarriedOut(paused, at(3000), because("x"), at(4000))
	if got, want := spans(f.Last()), "0-4000 recording ; 4000-10000 paused x slack 1000"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	f.AssumeCarriedOut(paused, at(3000), because("x"), at(5000))
	if n := len(f.Last().Edges); n != 2 {
		t.Errorf("foreseen twice: %d edges", n)
	}
}

// TestAddProblem: a problem is written down once; of very many, each kind once.
func TestAddProblem(t *testing.T) {
	var p Part
	if !p.AddProblem("lost", "") || p.AddProblem("lost", "") || !p.AddProblem("lost", "by\nsomebody") {
		t.Error("new problems are new, and the same one is not")
	}
	for i := range 100 {
		p.AddProblem("disk", fmt.Sprint(i))
	}
	if n := len(p.Problems); n > maxProblems+1 {
		t.Errorf("%d problems", n)
	}
	if slices.ContainsFunc(p.Problems, func(s string) bool { return strings.Contains(s, "\n") }) {
		t.Errorf("a line break: %q", p.Problems)
	}
}

// TestGrowth: how many looks a file that is not there, or does not grow, has.
func TestGrowth(t *testing.T) {
	type look struct {
		bytes int64
		err   error
	}
	gone := look{0, fs.ErrNotExist}
	for _, tc := range []struct {
		name  string
		looks []look
		want  string
	}{
		{"it grows", []look{{1, nil}, {2, nil}, {3, nil}, {4, nil}, {5, nil}}, ""},
		{"it stands still", []look{{1, nil}, {1, nil}, {1, nil}, {1, nil}}, recording.NotGrowing},
		{"it grows again in time", []look{{1, nil}, {1, nil}, {1, nil}, {2, nil}, {2, nil}}, ""},
		{"it is made a little later", []look{gone, {1, nil}}, ""},
		{"it is gone", []look{{1, nil}, gone, gone}, recording.FileMissing},
		{"the disk does not answer", []look{{1, nil}, {0, fs.ErrPermission}, {0, fs.ErrPermission}, {0, fs.ErrPermission}, {2, nil}}, ""},
	} {
		var g Growth
		got := ""
		for _, l := range tc.looks {
			got = g.Look(l.bytes, l.err)
		}
		if got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}
