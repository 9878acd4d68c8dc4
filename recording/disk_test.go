package recording

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"tapedeck/internal/testkit"
	"tapedeck/recording/audit"
)

// tmpfs mounts a small disk. Only root may.
func tmpfs(t *testing.T) Dir {
	t.Helper()
	d := tempDir(t)
	mount(t, d.String())
	return d
}

// mount mounts a small disk at a folder. Only root may.
func mount(t *testing.T, path string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", path, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("this test needs a disk of its own, which only root may mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(path, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// fill writes a file that fills the disk of a folder.
func fill(t *testing.T, dir string) (path string) {
	t.Helper()
	path = filepath.Join(dir, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !strings.Contains(err.Error(), "no space") {
		t.Fatal(err)
	}
	return path
}

// troubled queues a live and a finished recording while trouble lasts, and checks
// that nothing is lost once mend has ended it.
func troubled(t *testing.T, d Dir, cause string, trouble, mend func()) {
	finished, live := sample("finished"), sample("live")
	testkit.NewClip(1, 8000).Add(1000, tone).Add(1000, 0).Write(t, pathOf(t, d, finished))
	synctest.Test(t, func(t *testing.T) {
		var told []string
		a, stop := running(t, ArchiveConfig{Dir: d, OnError: func(id string, err error) { told = append(told, id+": "+err.Error()) }})
		live.External = "before"
		a.Draft(live)
		synctest.Wait()
		trouble()
		live.External = "during"
		a.Draft(live)
		wait := finishing(a, finished)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if drafts, finished := a.jobs.waiting(); drafts != 1 || finished != 1 || len(told) != 2 || !strings.Contains(told[0], cause) || !strings.Contains(told[1], cause) {
			t.Errorf("backlog %d, %d, told %q", drafts, finished, told)
		}
		if drafts, err := a.Drafts(); err != nil || len(drafts) != 1 || drafts[0].External != "before" {
			t.Errorf("meanwhile: %+v, %v", drafts, err)
		}
		mend()
		if s, err := wait(); err != nil || !s.Complete || len(s.Problems) > 0 {
			t.Errorf("%+v, %v", s, err)
		}
		time.Sleep(lastRetry)
		synctest.Wait()
		if drafts, err := a.Drafts(); err != nil || len(drafts) != 1 || drafts[0].External != "during" {
			t.Errorf("at last: %+v, %v", drafts, err)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	if counts, err := Verify(t.Context(), d, func(f Finding) {
		if f.What != Stray {
			t.Error(f)
		}
	}); err != nil || counts.Recordings != 1 {
		t.Errorf("%+v, %v", counts, err)
	}
}

func TestDiskFull(t *testing.T) {
	d := tmpfs(t)
	var filler string
	troubled(t, d, "no space left", func() { filler = fill(t, d.String()) }, func() {
		if err := os.Remove(filler); err != nil {
			t.Error(err)
		}
	})
}

func TestDiskReadOnly(t *testing.T) {
	d := tmpfs(t)
	remount := func(flags uintptr) func() {
		return func() {
			if err := syscall.Mount("", d.String(), "", syscall.MS_REMOUNT|flags, ""); err != nil {
				t.Error(err)
			}
		}
	}
	troubled(t, d, "read-only", remount(syscall.MS_RDONLY), remount(0))
}

// TestFolderIsFile: a file has the name of a folder.
func TestFolderIsFile(t *testing.T) {
	d := tempDir(t)
	s := sample(call)
	s.File, s.Problems = nil, []string{NotStarted}
	blocker := filepath.Join(d.String(), "acme")
	if err := os.WriteFile(blocker, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		a, stop := running(t, ArchiveConfig{Dir: d})
		wait := finishing(a, s)
		time.Sleep(time.Minute)
		if err := os.Remove(blocker); err != nil {
			t.Error(err)
		}
		if got, err := wait(); err != nil || !got.HasProblem(NotStarted) {
			t.Errorf("%+v, %v", got, err)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestAuditFull: on a full disk no audit line is half written, and nothing is deleted
// without one.
func TestAuditFull(t *testing.T) {
	d := tmpfs(t)
	s := sample(call)
	path := pathOf(t, d, s)
	testkit.NewClip(1, 8000).Add(500, tone).Write(t, path)
	if err := WriteSidecar(SidecarPath(path), s); err != nil {
		t.Fatal(err)
	}
	log := audit.New(d.String(), nil)
	if err := d.locked(func() error { return nil }); err != nil { // makes the file
		t.Fatal(err)
	}
	lines := 1
	if err := log.Add(audit.Line{What: audit.Listen}); err != nil {
		t.Fatal(err)
	}
	fill(t, d.String())
	for _, length := range []int{700, 0} { // long lines, and then the shortest
		for log.Add(audit.Line{What: audit.Listen, Detail: strings.Repeat("x", length)}) == nil {
			if lines++; lines > 1000 {
				t.Fatal("the disk is not full")
			}
		}
	}
	purged, err := Purge(t.Context(), PurgeConfig{Dir: d, Now: day.AddDate(1, 0, 0), Retention: keep(time.Hour), Audit: log})
	if err != nil || purged.Deleted != 0 || purged.Kept[KeptFailed] != 1 {
		t.Errorf("%+v, %v", purged, err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	if got := testkit.JSONLines[audit.Line](t, log.Path()); len(got) != lines || lines < 3 {
		t.Errorf("%d lines, of which %d are whole", lines, len(got))
	}
}

// keep returns a retention of d for every organisation.
func keep(d time.Duration) func(string) (time.Duration, bool) {
	return func(string) (time.Duration, bool) { return d, true }
}

const childEnv = "TAPEDECK_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		writeForever(dir)
	}
	if dir := os.Getenv(encoderEnv); dir != "" {
		encodeForever(dir)
	}
	if dir := os.Getenv(evidenceEnv); dir != "" {
		recordForever(dir)
	}
	os.Exit(m.Run())
}

// writeForever writes sidecars of changing length until it is killed.
func writeForever(root string) {
	d, err := NewDir(root)
	if err != nil {
		panic(err)
	}
	log := audit.New(d.String(), nil)
	for n := 0; ; n++ {
		s := sample(fmt.Sprintf("call-%d", n%5))
		s.External = fmt.Sprint(n)
		for range n % 100 {
			s.Trace = append(s.Trace, Note{At: day, What: s.External})
		}
		path, err := s.Path(d)
		if err == nil {
			_, err = d.save(nil, SidecarPath(path), s)
		}
		if err == nil {
			err = d.writeDraft(s)
		}
		if err == nil {
			err = log.Add(audit.Line{At: day, What: s.External})
		}
		if err != nil {
			panic(err)
		}
	}
}

// TestKilled: a process that writes is killed at any moment, and every sidecar,
// draft and audit line is whole.
func TestKilled(t *testing.T) {
	d := tempDir(t)
	rnd := testkit.Rand(t, uint64(time.Now().UnixNano()))
	a := NewArchive(ArchiveConfig{Dir: d, Log: quiet()})
	seen := 0
	for range 30 {
		killChild(t, d, rnd)
		for n := range 5 {
			path := SidecarPath(pathOf(t, d, sample(fmt.Sprintf("call-%d", n))))
			s, err := ReadSidecar(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil || len(s.Trace) > 1 && s.Trace[len(s.Trace)-1].What != s.External {
				t.Fatalf("%v: %+v", err, s)
			}
			seen++
		}
		if _, err := a.Drafts(); err != nil {
			t.Fatal(err)
		}
		testkit.JSONLines[audit.Line](t, audit.New(d.String(), nil).Path())
	}
	if seen < 30 {
		t.Errorf("%d sidecars were seen", seen)
	}
	leftover := 0
	if _, err := Verify(t.Context(), d, func(f Finding) {
		if f.What == Leftover {
			leftover++
		} else if f.What != NoSound {
			t.Error(f)
		}
	}); err != nil {
		t.Error(err)
	}
	t.Logf("%d sidecars were seen, %d files are left over", seen, leftover)
}

// killChild starts a process that writes, and kills it somewhat after the audit log
// has grown.
func killChild(t *testing.T, d Dir, rnd *rand.Rand) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+d.String())
	child.Stderr = os.Stderr
	size := sizeOf(audit.New(d.String(), nil).Path())
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if !testkit.Happens(testkit.Patience, func() bool { return sizeOf(audit.New(d.String(), nil).Path()) != size }) {
		t.Error("the child writes nothing")
	}
	time.Sleep(time.Duration(rnd.IntN(10_000)) * time.Microsecond) // so that it dies anywhere
	_ = child.Process.Kill()
	if err := child.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Error(err)
	}
}

func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
