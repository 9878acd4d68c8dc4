package recording

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tapedeck/internal/durable"
	"tapedeck/internal/testkit"
	"tapedeck/recording/audit"
)

// theirs is a folder of somebody else, to which whoever may write to the recordings wants
// to lead root: with a recording, a draft, and a sound whose header is unfinished.
func theirs(t *testing.T) (d Dir, before map[string]string) {
	t.Helper()
	d = tempDir(t)
	put(t, d, sample(call))
	if err := d.writeDraft(sample("draft")); err != nil {
		t.Fatal(err)
	}
	file := sampleSound().WAV()
	copy(file[40:], []byte{0, 0, 0, 0})
	testkit.WriteFile(t, pathOf(t, d, sample("unfinished")), file)
	return d, textsBelow(t, d)
}

// textsBelow returns all files below a folder with what they hold.
func textsBelow(t *testing.T, d Dir) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, name := range filesBelow(t, d) {
		text, err := os.ReadFile(filepath.Join(d.String(), name))
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	return texts
}

// unchanged checks that a folder is as it was.
func unchanged(t *testing.T, d Dir, before map[string]string) {
	t.Helper()
	after := textsBelow(t, d)
	for name := range before {
		if after[name] != before[name] {
			t.Errorf("%s was changed or removed", name)
		}
		delete(after, name)
	}
	for name := range after {
		t.Errorf("%s is new", name)
	}
}

// TestLinkedFolder: whatever is written, repaired, renamed or removed stays in the folder
// of the recordings, even if a folder in it is a link to one that looks alike.
func TestLinkedFolder(t *testing.T) {
	for _, link := range []string{"acme", "acme/2026", "acme/2026/03", "acme/2026/03/09", draftDir} {
		t.Run(link, func(t *testing.T) {
			other, before := theirs(t)
			d := tempDir(t)
			at := filepath.Join(d.String(), link)
			if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.Symlink(filepath.Join(other.String(), link), at)); err != nil {
				t.Fatal(err)
			}
			s := sample("another")
			wav, line := pathOf(t, d, s), audit.New(d.String(), nil)
			errs := map[string]error{"draft": d.writeDraft(s), "remove draft": d.removeDraft("draft")}
			if link != draftDir {
				_, saved := d.save(nil, SidecarPath(wav), s)
				_, held := SetHold(d, pathOf(t, d, sample(call)), &Hold{By: "x"}, line, audit.Actor{}, day)
				purged, err := Purge(t.Context(), PurgeConfig{Dir: d, Now: afterMonth, Retention: keep(month), Audit: line})
				if purged.Deleted > 0 {
					t.Errorf("purge: %+v", purged)
				}
				errs = map[string]error{
					"save": saved, "hold": held, "purge": err,
					"repair":   d.repairHeader(pathOf(t, d, sample("unfinished"))),
					"unwanted": d.removeUnwanted(nil, sample(call), pathOf(t, d, sample(call))),
					"remove":   d.removeRecording(Day{Path: filepath.Dir(wav)}, call),
				}
				if !strings.HasSuffix(link, "09") {
					errs["month"] = d.MakeMonth("acme", day)
				}
			}
			for what, err := range errs {
				if !errors.Is(err, durable.ErrLink) && !errors.Is(err, ErrOutside) {
					t.Errorf("%s: %v", what, err)
				}
			}
			unchanged(t, other, before)
		})
	}
}

// TestLinkedFile: a sound, sidecar, draft or lock that is a link is not followed.
func TestLinkedFile(t *testing.T) {
	other, before := theirs(t)
	d := tempDir(t)
	unfinished, sidecar := pathOf(t, d, sample("unfinished")), SidecarPath(pathOf(t, d, sample(call)))
	if err := errors.Join(d.makeDirs(sidecar), d.makeDirs(d.draftPath("x"))); err != nil {
		t.Fatal(err)
	}
	for path, target := range map[string]string{
		unfinished:                               pathOf(t, other, sample("unfinished")),
		sidecar:                                  SidecarPath(pathOf(t, other, sample(call))),
		d.draftPath("draft"):                     other.draftPath("draft"),
		filepath.Join(d.String(), lockName):      filepath.Join(other.String(), lockName),
		filepath.Join(d.String(), "audit.jsonl"): other.draftPath("draft"),
	} {
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
	_, read := ReadSidecar(sidecar)
	_, draft := d.readDraft("draft")
	_, _, sum := audit.New(d.String(), nil).Sum()
	for what, err := range map[string]error{
		"repair": d.repairHeader(unfinished), "read": read, "draft": draft, "audit log": sum,
		"lock": d.locked(func() error { t.Error("it is locked"); return nil }),
	} {
		if !errors.Is(err, durable.ErrLink) {
			t.Errorf("%s: %v", what, err)
		}
	}
	unchanged(t, other, before)
}

// TestLinkedSidecarTemp: whoever puts a link in the place of a sidecar that is being
// written gets an error, not a sidecar that is a link.
func TestLinkedSidecarTemp(t *testing.T) {
	p, other := newProved(t), filepath.Join(t.TempDir(), "other")
	s := sample(call)
	path := SidecarPath(pathOf(t, p.dir, s))
	if err := errors.Join(p.dir.makeDirs(path), os.WriteFile(other, []byte("theirs"), 0o600)); err != nil {
		t.Fatal(err)
	}
	lock, err := os.Open(p.log.Evidence().Path())
	if err == nil {
		err = durable.Lock(lock) // so that the sidecar does not get its name yet
	}
	if err != nil {
		t.Fatal(err)
	}
	saved := make(chan error, 1)
	go func() {
		_, err := p.dir.save(p.log.Evidence(), path, s)
		saved <- err
	}()
	var temps []string
	testkit.Until(t, "the sidecar is written", func() bool {
		temps, err = filepath.Glob(filepath.Join(filepath.Dir(path), ".*.tmp"))
		return err == nil && len(temps) == 1 && sizeOf(temps[0]) > 0
	})
	if err := errors.Join(os.Remove(temps[0]), os.Symlink(other, temps[0]), lock.Close()); err != nil {
		t.Fatal(err)
	}
	if err := <-saved; !errors.Is(err, durable.ErrLink) {
		t.Errorf("%v", err)
	}
	if text, err := os.ReadFile(other); err != nil || string(text) != "theirs" {
		t.Errorf("%q, %v", text, err)
	}
	if exists(path) {
		t.Error("there is a sidecar")
	}
	p.right()
}
