package recording

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"tapedeck/internal/durable"
	"tapedeck/internal/testkit"
	"tapedeck/recording/audit"
)

// running is an Archive that runs; stop ends it and returns what Run returned.
func running(t *testing.T, cfg ArchiveConfig) (a *Archive, stop func() error) {
	if cfg.Log == nil {
		cfg.Log = quiet()
	}
	a = NewArchive(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { stop() })
	return a, stop
}

// finishing queues a recording and returns the way to wait for it.
func finishing(a *Archive, s Sidecar) func() (Sidecar, error) {
	type result struct {
		s   Sidecar
		err error
	}
	done := make(chan result, 1)
	a.Finish(s, func(s Sidecar, err error) { done <- result{s, err} })
	return func() (Sidecar, error) { r := <-done; return r.s, r.err }
}

func filesBelow(t *testing.T, d Dir) (names []string) {
	t.Helper()
	err := filepath.WalkDir(d.String(), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && e.Name() != lockName {
			name, _ := filepath.Rel(d.String(), path)
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestArchive(t *testing.T) {
	d := tempDir(t)
	a, stop := running(t, ArchiveConfig{Dir: d})
	s := sample(call)
	sampleSound().Write(t, pathOf(t, d, s))
	got, err := finishing(a, s)()
	if err != nil || !got.Complete || got.File.DurationMS != 2000 || got.Spans[1].FromMS != 1000 {
		t.Fatalf("%+v, %v", got, err)
	}
	read, err := ReadSidecar(SidecarPath(pathOf(t, d, s)))
	if err != nil || !reflect.DeepEqual(read, got.tidy()) {
		t.Errorf("read %+v, %v\ntold %+v", read, err, got)
	}
	again, err := finishing(a, read)()
	if err != nil || !reflect.DeepEqual(again, read) {
		t.Errorf("again %+v, %v\nonce  %+v", again, err, read)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	base := "acme/2026/03/09/" + call
	want := []string{base + ".json", base + ".svg", base + ".wav"}
	if files := filesBelow(t, d); !reflect.DeepEqual(files, want) {
		t.Errorf("files %q, want %q", files, want)
	}
}

// That there is no place for a waveform is no problem of the recording.
func TestArchiveWithoutWaveform(t *testing.T) {
	d := tempDir(t)
	a, stop := running(t, ArchiveConfig{Dir: d, OnError: func(id string, err error) { t.Error(id, err) }})
	s := sample(call)
	path := pathOf(t, d, s)
	sampleSound().Write(t, path)
	svg := strings.TrimSuffix(path, soundExt) + ".svg"
	if err := os.MkdirAll(filepath.Join(svg, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := finishing(a, s)(); err != nil || !got.Complete || len(got.Problems) > 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if files := filesBelow(t, d); slices.ContainsFunc(files, func(name string) bool { return durable.IsTemp(filepath.Base(name)) }) {
		t.Errorf("files %q", files)
	}
}

// A recording that was wanted and never begun has a sidecar too, in folders that
// FreeSWITCH can write into as into the root.
func TestArchiveWithoutFile(t *testing.T) {
	d := tempDir(t)
	if err := os.Chmod(d.String(), 0o770|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	a, _ := running(t, ArchiveConfig{Dir: d})
	s := sample(call)
	s.File, s.Spans, s.Problems = nil, nil, []string{NotStarted}
	if got, err := finishing(a, s)(); err != nil || got.Complete || got.File != nil || len(got.Problems) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	for dir := filepath.Dir(pathOf(t, d, s)); dir != d.String(); dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err != nil || info.Mode() != fs.ModeDir|fs.ModeSetgid|0o770 {
			t.Errorf("%s: %v, %v", dir, info.Mode(), err)
		}
	}
}

func TestArchiveRefuses(t *testing.T) {
	d := tempDir(t)
	var told []string
	a, stop := running(t, ArchiveConfig{Dir: d, OnError: func(id string, err error) { told = append(told, err.Error()) }})
	for _, change := range []func(*Sidecar){
		func(s *Sidecar) { s.Call = "../../../etc/passwd" },
		func(s *Sidecar) { s.Organisation = ".." },
		func(s *Sidecar) { s.Started = time.Time{} },
		func(s *Sidecar) { s.Version = 0 },
		func(s *Sidecar) { s.Part = -1 },
	} {
		s := sample(call)
		change(&s)
		a.Draft(s)
		if _, err := finishing(a, s)(); err == nil {
			t.Errorf("%+v is written", s)
		}
	}
	a.Draft(Sidecar{Version: Version, Call: "../x", Organisation: "acme", Started: day})
	a.Discard("../../x")
	if err := stop(); err != nil {
		t.Error(err)
	}
	if files := filesBelow(t, d); len(files) > 0 || len(told) < 7-2 {
		t.Errorf("files %q, told %q", files, told)
	}
}

func TestDrafts(t *testing.T) {
	d := tempDir(t)
	a, stop := running(t, ArchiveConfig{Dir: d})
	if drafts, err := a.Drafts(); err != nil || len(drafts) > 0 {
		t.Errorf("at first: %v, %v", drafts, err)
	}
	for _, id := range []string{"one", "two", "gone", "other", "cut"} {
		s := sample(id)
		a.Draft(s)
		s.Users[0] = "mallory" // what was handed over is copied
	}
	a.Discard("gone")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	live := filepath.Join(d.String(), draftDir)
	old := time.Now().Add(-2 * tempAge)
	for name, do := range map[string]func(path string) error{
		"other.json":        func(path string) error { return os.Rename(path, filepath.Join(live, "three.json")) },
		"cut.json":          func(path string) error { return os.Truncate(path, 100) },
		".one.json.123.tmp": func(path string) error { return os.WriteFile(path, nil, 0o600) },
		".two.json.123.tmp": func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, old, old))
		},
		"notes.txt":           func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"..%2f..%2fpass.json": func(path string) error { return os.WriteFile(path, []byte(`{"version":1}`), 0o600) },
	} {
		if err := do(filepath.Join(live, name)); err != nil {
			t.Fatal(err)
		}
	}
	drafts, err := a.Drafts()
	if len(drafts) != 2 || drafts[0].ID() != "one" || drafts[1].ID() != "two" || drafts[0].Users[0] != "alice" {
		t.Errorf("%+v", drafts)
	}
	if text := fmt.Sprint(err); strings.Count(text, "put aside") != 3 || !strings.Contains(text, `"three"`) || !strings.Contains(text, `"cut"`) {
		t.Error(err)
	}
	if drafts, err := a.Drafts(); err != nil || len(drafts) != 2 {
		t.Errorf("the second time: %v, %v", drafts, err)
	}
	want := []string{"..%2f..%2fpass.json.broken", ".one.json.123.tmp", "cut.json.broken", "notes.txt", "one.json", "three.json.broken", "two.json"}
	for i, name := range want {
		want[i] = draftDir + "/" + name
	}
	if files := filesBelow(t, d); !reflect.DeepEqual(files, want) {
		t.Errorf("files %q\nwant  %q", files, want)
	}
}

// TestArchiveOrder: whatever is queued, in whatever order, the last word counts.
func TestArchiveOrder(t *testing.T) {
	d := tempDir(t)
	a, stop := running(t, ArchiveConfig{Dir: d})
	rnd := testkit.Rand(t, uint64(time.Now().UnixNano()))
	var mu sync.Mutex
	last, calls := map[string]string{}, map[string]int{}
	for n := range 1000 {
		s := sample(fmt.Sprintf("call-%d", rnd.IntN(40)))
		id := s.Call
		if last[id] == "finished" {
			continue
		}
		s.External = fmt.Sprint(n)
		switch word := rnd.IntN(20); {
		case word < 16:
			a.Draft(s)
			last[id] = s.External
		case word < 19:
			a.Discard(id)
			last[id] = "discarded"
		default:
			a.Finish(s, func(s Sidecar, err error) { mu.Lock(); calls[s.ID()]++; mu.Unlock() })
			last[id] = "finished"
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	drafts, err := a.Drafts()
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]string{}
	for _, s := range drafts {
		left[s.ID()] = s.External
	}
	for id, word := range last {
		_, err := ReadSidecar(SidecarPath(pathOf(t, d, sample(id))))
		if finished := word == "finished"; finished != (err == nil) || finished != (calls[id] == 1) {
			t.Errorf("%s: %s, but %v, called back %d times", id, word, err, calls[id])
		}
		if (word == "finished" || word == "discarded") && left[id] != "" || left[id] != "" && left[id] != word {
			t.Errorf("%s: %s, but there is a draft %q", id, word, left[id])
		}
		if word != "finished" && word != "discarded" && left[id] == "" {
			t.Errorf("%s: there is no draft", id)
		}
	}
}

// A draft that comes while the one before is written is written too.
func TestDraftLatest(t *testing.T) {
	d := tempDir(t)
	for range 20 {
		a, stop := running(t, ArchiveConfig{Dir: d})
		s := sample(call)
		for n := range 200 {
			s.External = fmt.Sprint(n)
			a.Draft(s)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if got, err := a.Drafts(); err != nil || len(got) != 1 || got[0].External != "199" {
			t.Fatalf("%+v, %v", got, err)
		}
	}
}

// Finish, called again while the first is under way, is not lost, and everybody is
// called back.
func TestFinishTwice(t *testing.T) {
	d := tempDir(t)
	a, stop := running(t, ArchiveConfig{Dir: d})
	s := sample(call)
	sampleSound().Write(t, pathOf(t, d, s))
	var waits []func() (Sidecar, error)
	for i := range 50 {
		s.External = fmt.Sprint(i)
		waits = append(waits, finishing(a, s))
		a.Draft(s)
	}
	for _, wait := range waits {
		if _, err := wait(); err != nil {
			t.Error(err)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got, err := ReadSidecar(SidecarPath(pathOf(t, d, s))); err != nil || got.External != "49" {
		t.Errorf("%q, %v", got.External, err)
	}
}

func TestFinishKeepsHold(t *testing.T) {
	d := tempDir(t)
	path := put(t, d, sample(call))
	hold := &Hold{By: "carol", Reason: "court", At: day}
	if _, err := SetHold(d, path, hold, audit.New(d.String()), audit.Actor{Who: "carol"}, day); err != nil {
		t.Fatal(err)
	}
	a, _ := running(t, ArchiveConfig{Dir: d})
	if s, err := finishing(a, sample(call))(); err != nil || !reflect.DeepEqual(s.Hold, hold) {
		t.Errorf("%+v, %v", s.Hold, err)
	}
}

// While the folder is gone nothing is given up, and it is told once; when it is
// back, everything is written.
func TestArchiveFolderGone(t *testing.T) {
	d := tempDir(t)
	away := d.String() + "-away"
	t.Cleanup(func() { os.RemoveAll(away) })
	synctest.Test(t, func(t *testing.T) {
		told := map[string]int{}
		a, stop := running(t, ArchiveConfig{Dir: d, OnError: func(id string, err error) { told[id]++ }})
		finished, live := sample("finished"), sample("live")
		sampleSound().Write(t, pathOf(t, d, finished))
		if err := os.Rename(d.String(), away); err != nil {
			t.Fatal(err)
		}
		wait := finishing(a, finished)
		a.Draft(live)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if drafts, finished := a.jobs.waiting(); drafts != 1 || finished != 1 || told["finished"] != 1 || told["live"] != 1 {
			t.Errorf("backlog %d, %d, told %v", drafts, finished, told)
		}
		if _, err := os.Stat(d.String()); err == nil {
			t.Error("the root is made anew")
		}
		if err := os.Rename(away, d.String()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if s, err := wait(); err != nil || !s.Complete {
			t.Errorf("%+v, %v", s, err)
		}
		if took := time.Since(began); took > lastRetry {
			t.Errorf("it took %v", took)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if drafts, err := a.Drafts(); err != nil || len(drafts) != 1 || drafts[0].ID() != "live" {
			t.Errorf("%v, %v", drafts, err)
		}
	})
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewArchive(ArchiveConfig{Dir: dirOf(t, "/nowhere-that-is"), Log: quiet()})
		j := &job{id: call}
		for _, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			if a.jobs.retry(j, 0); j.delay != want*time.Second {
				t.Errorf("delay %v, want %v s", j.delay, want)
			}
		}
	})
}

// A disk that hangs holds nobody who queues, and Run no longer than its grace.
func TestArchiveHangs(t *testing.T) {
	d := tempDir(t)
	lock, err := os.Create(filepath.Join(d.String(), lockName))
	if err != nil {
		t.Fatal(err)
	}
	if err := durable.Lock(lock); err != nil {
		t.Fatal(err)
	}
	a, stop := running(t, ArchiveConfig{Dir: d, Grace: time.Millisecond})
	var waits []func() (Sidecar, error)
	for i := range 200 {
		s := sample(fmt.Sprintf("call-%d", i))
		s.File, s.Problems = nil, []string{NotStarted}
		a.Draft(s)
		waits = append(waits, finishing(a, s))
		a.Draft(s) // it is being finished: this counts no more
		a.Discard("x-" + s.Call)
	}
	if err := stop(); err == nil || !strings.Contains(err.Error(), "200 sidecars are not written") {
		t.Error(err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	for _, wait := range waits { // the workers were held, not lost
		if s, err := wait(); err != nil || s.Complete {
			t.Errorf("%+v, %v", s, err)
		}
	}
	if drafts, err := a.Drafts(); err != nil || len(drafts) > 0 {
		t.Errorf("%d drafts, %v", len(drafts), err)
	}
}

// What could not be written when Run ended has a last attempt, and no more; its
// draft tells the next Archive.
func TestArchiveEnds(t *testing.T) {
	d := tempDir(t)
	s := sample(call)
	path := pathOf(t, d, s)
	sampleSound().Write(t, path)
	if err := os.Mkdir(SidecarPath(path), 0o700); err != nil { // so the sidecar cannot be
		t.Fatal(err)
	}
	a, stop := running(t, ArchiveConfig{Dir: d, Grace: time.Hour})
	a.Finish(s, func(s Sidecar, err error) { t.Errorf("called back: %+v, %v", s, err) })
	if err := stop(); err == nil || !strings.Contains(err.Error(), "1 sidecars are not written") {
		t.Error(err)
	}
	if err := os.Remove(SidecarPath(path)); err != nil {
		t.Fatal(err)
	}
	a, stop = running(t, ArchiveConfig{Dir: d})
	drafts, err := a.Drafts()
	if err != nil || len(drafts) != 1 || !drafts[0].Ended.Equal(s.Ended) {
		t.Fatalf("%+v, %v", drafts, err)
	}
	if s, err := finishing(a, drafts[0])(); err != nil || !s.Complete {
		t.Errorf("%+v, %v", s, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// A file that cannot be read is tried for a while; then its sidecar says so.
func TestArchiveUnreadable(t *testing.T) {
	d := tempDir(t)
	s := sample(call)
	path := pathOf(t, d, s)
	testkit.WriteFile(t, filepath.Join(filepath.Dir(path), "other"), nil)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		a, stop := running(t, ArchiveConfig{Dir: d})
		began := time.Now()
		s, err := finishing(a, s)()
		if err != nil || s.Complete || !s.HasProblem(Unreadable) || time.Since(began) != 15*time.Second {
			t.Errorf("%+v, %v, after %v", s, err, time.Since(began))
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// An unfinished file is repaired only when nobody has written to it for a while.
func TestStillWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.wav")
	at := time.Now().Truncate(time.Second)
	for _, test := range []struct {
		file []byte
		age  time.Duration
		want bool
	}{
		{slices.Concat(testkit.RIFF(8), testkit.WAVFormat(1, 2, 8000, 16), testkit.Chunk("data", 0), make([]byte, 400)), quietTime - 1, true},
		{slices.Concat(testkit.RIFF(8), testkit.WAVFormat(1, 2, 8000, 16), testkit.Chunk("data", 0), make([]byte, 400)), quietTime, false},
		{slices.Concat(testkit.RIFF(8), testkit.WAVFormat(1, 2, 8000, 16), testkit.Chunk("data", 0), make([]byte, 400)), -1, false},
		{sampleSound().WAV(), 0, false},
		{[]byte("RIFF"), 0, false},
	} {
		testkit.WriteFile(t, path, test.file)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		if got := stillWritten(path, at.Add(test.age)); got != test.want {
			t.Errorf("%.20q, %v: %v", test.file, test.age, got)
		}
	}
	if stillWritten(path+"x", at) {
		t.Error("a file that is not there")
	}
}

func TestProbe(t *testing.T) {
	d := tempDir(t)
	a := NewArchive(ArchiveConfig{Dir: d, Log: quiet()})
	path := put(t, d, sample(call))
	if size, err := a.Probe(path); err != nil || size != 64044 {
		t.Errorf("%d, %v", size, err)
	}
	if _, err := a.Probe(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
