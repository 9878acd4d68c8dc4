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
	"testing"
	"testing/synctest"
	"time"

	"tapedeck/internal/durable"
	"tapedeck/internal/testkit"
)

// running starts an Archive; stop ends it and returns what Run returned.
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

// finishing queues a recording and returns a function that waits for its end.
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

// TestArchiveWithoutWaveform: a waveform that cannot be made is no problem of the
// recording.
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

// TestArchiveWithoutFile: a recording that was wanted and never begun has a sidecar
// too, in folders that FreeSWITCH can write into like the root.
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

// TestArchiveOrder: the last call counts, whatever is queued in whatever order.
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

// TestArchiveFolderGone: while the folder is gone the Archive keeps everything and
// reports it once; when the folder is back, it writes everything.
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

// TestArchiveHangs: a disk that hangs holds up nobody who queues, and Run for its
// grace at most.
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
		a.Draft(s) // it is being finished: this is ignored
		a.Discard("x-" + s.Call)
	}
	if err := stop(); err == nil || !strings.Contains(err.Error(), "200 sidecars are not written") {
		t.Error(err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	for _, wait := range waits { // the workers waited and continue
		if s, err := wait(); err != nil || s.Complete {
			t.Errorf("%+v, %v", s, err)
		}
	}
	if drafts, err := a.Drafts(); err != nil || len(drafts) > 0 {
		t.Errorf("%d drafts, %v", len(drafts), err)
	}
}

// TestArchiveEnds: Run tries once more to write what is left when it ends; the next
// Archive finds the draft.
func TestArchiveEnds(t *testing.T) {
	d := tempDir(t)
	s := sample(call)
	path := pathOf(t, d, s)
	sampleSound().Write(t, path)
	if err := os.Mkdir(SidecarPath(path), 0o700); err != nil { // so that the sidecar cannot be written
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
