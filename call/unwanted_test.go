package call

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/store/index"
)

// newArchived is a fixture with a real archive. saved are the entries of its index.
func newArchived(t *testing.T) (fx *fixture, saved func() []index.Recording) {
	t.Helper()
	fx = newFixture(t)
	dir, err := recording.NewDir(fx.dir)
	fx.must(err)
	archive := recording.NewArchive(recording.ArchiveConfig{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = archive.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	var entries lockedIndex
	fx.stop()
	fx.serve(Config{Policy: testPolicyOf(testPolicy(t)), Calls: laterStore{}, Index: &entries, Archive: archive})
	return fx, entries.all
}

// lockedIndex is a RecordingIndex that remembers.
type lockedIndex struct {
	mu    sync.Mutex
	saved []index.Recording
}

func (l *lockedIndex) Save(r index.Recording) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.saved = append(l.saved, r)
}

func (l *lockedIndex) all() []index.Recording {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]index.Recording(nil), l.saved...)
}

// TestUnwantedLeavesNothing: a call that bob, who says no, has answered leaves no file, no
// sidecar, no draft and no entry in the index; one line of the log and the meter tell.
func TestUnwantedLeavesNothing(t *testing.T) {
	fx, saved := newArchived(t)
	a := fx.inbound("+442079460001")
	b := fx.ring(a, "1002")
	fx.answer(b)
	fx.talk(second)
	file := a.Get("tapedeck_file")
	a.Hangup("")
	fx.until("it is removed", func() bool { return fx.meter.get("recording removed") == 1 })
	draft := filepath.Join(fx.dir, ".live", a.UUID()+".json")
	for _, path := range []string{file, recording.SidecarPath(file), draft} {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if n := len(saved()); n != 0 {
		t.Errorf("%d entries in the index", n)
	}
	if n := len(fx.log.Lines("recording removed: nobody wanted it", "setting=no")); n != 1 {
		t.Errorf("%d lines in the log", n)
	}
	if n := len(fx.log.Lines("not recorded, because user/bob says no")); n != 1 {
		t.Errorf("%d lines with the verdict", n)
	}
}

// TestWantedIsKept: a call that dave takes over from bob has its file.
func TestWantedIsKept(t *testing.T) {
	fx, saved := newArchived(t)
	a := fx.inbound("+442079460001")
	b := fx.ring(a, "1002")
	fx.answer(b)
	fx.talk(second)
	a = b.BlindTransfer("1004")
	fx.enter(a)
	fx.answer(fx.ring(a, "1004"))
	fx.talk(second)
	file := a.Get("tapedeck_file")
	a.Hangup("")
	fx.until("it is described", func() bool { // the switch's clock leaps over what is said and ours does not, so the spans do not fit
		return fx.meter.get("recording complete")+fx.meter.get("recording problem") == 1
	})
	if _, err := os.Stat(file); err != nil || len(saved()) != 1 {
		t.Errorf("index %v, %v", saved(), err)
	}
}

// newDescribing is a Controller without a FreeSWITCH, which describes into a folder.
func newDescribing(t *testing.T) (*Controller, *countingMeter, recording.Dir) {
	t.Helper()
	dir, err := recording.NewDir(tempFolder(t))
	if err != nil {
		t.Fatal(err)
	}
	archive := recording.NewArchive(recording.ArchiveConfig{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = archive.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	meter := &countingMeter{of: map[string]int{}}
	ctl := New(Config{Recordings: dir, Policy: testPolicyOf(testPolicy(t)), Calls: noStore{}, Index: noIndex{}, Archive: archive, Meter: meter,
		Log: slog.New(slog.DiscardHandler)})
	runCtx, end := context.WithCancel(context.Background())
	running.Go(func() { _ = ctl.Run(runCtx) })
	t.Cleanup(end)
	return ctl, meter, dir
}

// TestUnwantedOrphan: the call of a file that nobody wanted ended while nobody
// followed it. The next Tapedeck removes it all the same.
func TestUnwantedOrphan(t *testing.T) {
	ctl, meter, dir := newDescribing(t)
	began := time.Now().Add(-time.Minute)
	file, err := dir.PartPath("acme", began, "c1", 1)
	if err != nil {
		t.Fatal(err)
	}
	testkit.NewClip(2, 8000).Add(2000, 0).Write(t, file)
	if err := os.Chtimes(file, began.Add(2*time.Second), began.Add(2*time.Second)); err != nil {
		t.Fatal(err)
	}
	draft := recording.Sidecar{Version: recording.Version, Call: "c1", Organisation: "acme", Direction: "inbound", Switch: "fs1", Anchor: "c1",
		Started: began, Answered: began, Trigger: recording.TriggerAutomatic, File: &recording.File{Name: "c1.wav", Began: began},
		Spans: []recording.Span{{ToMS: 500, State: recording.StatePaused, Cause: recording.Cause{Element: "user/bob", Setting: "no"}}}}
	ctl.post(func(time.Time) { reaper{ctl}.describe("acme", "c1", []recording.Sidecar{draft}) })
	testkit.Until(t, "it is removed", func() bool { return meter.get("recording removed") == 1 })
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the file: %v", err)
	}
}

// TestOrphanWithoutAFile: a call ended while nobody followed it, and has no file. If its answer
// was seen, and should have started the file, its sidecar says so.
func TestOrphanWithoutAFile(t *testing.T) {
	began := time.Now().Add(-time.Minute)
	for name, tc := range map[string]struct {
		answered time.Time
		state    string
		missing  int
	}{
		"answered":                             {began.Add(time.Second), recording.StateRecording, 1},
		"answered, and to be silent":           {began.Add(time.Second), recording.StateWaiting, 0},
		"nobody knows whether it was answered": {time.Time{}, recording.StateRecording, 0},
	} {
		t.Run(name, func(t *testing.T) {
			ctl, meter, dir := newDescribing(t)
			draft := recording.Sidecar{Version: recording.Version, Call: "c1", Organisation: "acme", Direction: "inbound", Switch: "fs1", Anchor: "c1",
				Started: began, Answered: tc.answered, Trigger: recording.TriggerAutomatic, Spans: []recording.Span{{State: tc.state}}}
			ctl.post(func(time.Time) { reaper{ctl}.describe("acme", "c1", []recording.Sidecar{draft}) })
			testkit.Until(t, "it is described, or discarded", func() (done bool) {
				ctl.ask(t.Context(), func(time.Time) { done = !ctl.describer.busy("c1") })
				return done
			})
			wav, err := draft.Path(dir)
			if err != nil {
				t.Fatal(err)
			}
			s, err := recording.ReadSidecar(recording.SidecarPath(wav))
			if written := err == nil && s.HasProblem(recording.NotStarted); written != (tc.missing > 0) || meter.get("missing") != tc.missing {
				t.Errorf("%+v, %v, %d missing", s, err, meter.get("missing"))
			}
		})
	}
}

// tempFolder is a folder whose name FreeSWITCH reads as it is.
func tempFolder(t *testing.T) string {
	t.Helper()
	path, err := os.MkdirTemp("", "tapedeck-call-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(path) })
	return path
}
