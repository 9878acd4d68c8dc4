package recording

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"tapedeck/recording/audit"
	"tapedeck/recording/chain"
)

// TestEvidenceUnwritable: a log that cannot be written when a process starts is no reason
// to go on without it. Until it is mended nothing is done, and then all is.
func TestEvidenceUnwritable(t *testing.T) {
	for name, trouble := range map[string]func(t *testing.T, p *proved) (mend func()){
		"the log is a link": func(t *testing.T, p *proved) func() {
			path := filepath.Join(p.proofs, "host.jsonl")
			if err := os.Symlink(filepath.Join(t.TempDir(), "elsewhere"), path); err != nil {
				t.Fatal(err)
			}
			return func() { remove(t, path) }
		},
		"the disk is full": func(t *testing.T, p *proved) func() {
			mount(t, p.proofs)
			filler := fill(t, p.proofs)
			return func() { remove(t, filler) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := &proved{T: t, dir: tempDir(t), proofs: t.TempDir()}
			mend := trouble(t, p)
			log, err := OpenAudit(p.dir, p.proofs, "host")
			if err == nil || log.Evidence() == nil {
				t.Fatalf("it goes on without evidence: %v", err)
			}
			p.log = log
			if err := log.Add(audit.Line{At: day, What: audit.Listen}); !errors.Is(err, audit.ErrNotWritten) || sizeOf(log.Path()) > 0 {
				t.Errorf("a line without evidence: %v", err)
			}
			mend()
			p.add(audit.Listen)
			p.finish("one")
			p.right()
		})
	}
}

// TestEvidenceOfStranger: whoever may not look whether there is a log does nothing without
// one.
func TestEvidenceOfStranger(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	p := newProved(t)
	if err := os.Chmod(filepath.Dir(p.proofs), 0o700); err != nil {
		t.Fatal(err)
	}
	var stranger sync.WaitGroup
	stranger.Go(func() {
		runtime.LockOSThread() // for ever: the thread ends with the goroutine
		if err := syscall.Setfsuid(65534); err != nil {
			t.Error(err)
			return
		}
		log, err := OpenAudit(p.dir, p.proofs, "host")
		if !errors.Is(err, fs.ErrPermission) || log.Evidence() == nil {
			t.Errorf("%v, evidence %v", err, log.Evidence())
		}
	})
	stranger.Wait()
}

// TestEvidenceFullDisk: the disk is full when an entry is written, so that neither what
// it tells of is done nor an entry says so. With room again the next entry says it.
func TestEvidenceFullDisk(t *testing.T) {
	p := &proved{T: t, dir: tempDir(t), proofs: t.TempDir()}
	mount(t, p.proofs)
	p.open()
	p.add(audit.SignIn)
	filler, no := "", errors.New("no")
	fails := func(pad int, do func()) {
		err := p.log.Evidence().Record(func(id string, seq int64) (chain.Entry, error) {
			text := fmt.Sprintf(`{"what":"listen","detail":%q,"log":%q,"seq":%d}`, strings.Repeat("x", pad), id, seq)
			return chain.Entry{Kind: chain.Line, Line: []byte(text)}, nil
		}, func() error { do(); return no })
		if !errors.Is(err, no) {
			t.Fatal(err)
		}
	}
	size := sizeOf(p.log.Evidence().Path())
	fails(0, func() { size = sizeOf(p.log.Evidence().Path()) - size })
	const page, rest = 4096, 50 // what is left of the last page is less than an entry has
	pad := page - rest - size - sizeOf(p.log.Evidence().Path())%page
	fails(int(pad+page)%page, func() { filler = fill(t, p.proofs) })
	remove(t, filler)
	p.add(audit.SignOut)
	p.right()
}

// TestEvidenceEmptied: a log that was emptied, with all that would show it, is not right.
func TestEvidenceEmptied(t *testing.T) {
	p := newProved(t)
	p.finish("one")
	write(t, p.log.Evidence().Path(), nil)
	if _, err := VerifyEvidence(t.Context(), EvidenceConfig{Dir: p.dir, Evidence: p.proofs}, func(chain.Finding) {}); !errors.Is(err, ErrNoEvidence) {
		t.Errorf("%v", err)
	}
}

// TestEvidenceFoundUnlocked: whoever is told of findings, and takes his time, keeps nobody
// from writing.
func TestEvidenceFoundUnlocked(t *testing.T) {
	p := newProved(t)
	p.add(audit.SignIn)
	p.finish("one")
	p.add(audit.SignOut)
	write(t, p.log.Path(), nil)
	remove(t, SidecarPath(pathOf(t, p.dir, sample("one"))))
	found := 0
	if _, err := VerifyEvidence(t.Context(), EvidenceConfig{Dir: p.dir, Evidence: p.proofs}, func(f chain.Finding) {
		found++
		log, err := os.Open(p.log.Evidence().Path())
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		if err := syscall.Flock(int(log.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			t.Errorf("%s: the log is locked: %v", f, err)
		}
	}); err != nil || found < 3 {
		t.Errorf("%d findings, %v", found, err)
	}
}
