package recording

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tapedeck/internal/durable"
	"tapedeck/internal/testkit"
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

// TestEvidencePipe: a pipe in place of the audit log, which FreeSWITCH's user can put
// there, makes nobody wait.
func TestEvidencePipe(t *testing.T) {
	p := newProved(t)
	p.add(audit.SignIn)
	remove(t, p.log.Path())
	if err := syscall.Mkfifo(p.log.Path(), 0o660); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 4)
	go func() {
		ended <- p.log.Add(audit.Line{At: day, What: audit.Listen})
		_, _, err := p.log.Read(t.Context(), audit.Query{})
		ended <- err
		_, err = VerifyEvidence(t.Context(), EvidenceConfig{Dir: p.dir, Evidence: p.proofs}, func(chain.Finding) {})
		ended <- err
		_, err = OpenAudit(p.dir, t.TempDir(), "host")
		ended <- err
	}()
	for _, what := range []string{"a line", "reading", "verification", "a new log"} {
		select {
		case err := <-ended:
			if err == nil {
				t.Errorf("%s: no error", what)
			}
		case <-time.After(testkit.Patience):
			t.Fatalf("%s waits for somebody who writes into the pipe", what)
		}
	}
}

// TestEvidenceHalfALine: a line that another process has written half of is not torn.
func TestEvidenceHalfALine(t *testing.T) {
	p := newProved(t)
	p.add(audit.SignIn)
	second, err := OpenAudit(p.dir, p.proofs, "host")
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	var other sync.WaitGroup
	if err := p.log.Evidence().Record(func(id string, seq int64) (chain.Entry, error) {
		text = fmt.Sprintf(`{"what":"listen","log":%q,"seq":%d}`, id, seq)
		return chain.Entry{Kind: chain.Line, Line: []byte(text)}, nil
	}, func() error {
		f, err := os.OpenFile(p.log.Path(), os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := errors.Join(durable.Lock(f), writeTo(f, text[:20])); err != nil {
			return err
		}
		other.Go(func() {
			if err := second.Add(audit.Line{At: day, What: audit.SignOut}); err != nil {
				t.Error(err)
			}
		})
		testkit.Until(t, "another process waits for a lock", func() bool { return waitsForLock(t) })
		return writeTo(f, text[20:]+"\n")
	}); err != nil {
		t.Fatal(err)
	}
	other.Wait()
	p.right()
}

func writeTo(f *os.File, text string) error {
	_, err := f.WriteString(text)
	return err
}

// waitsForLock reports whether this process waits for a lock of a file.
func waitsForLock(t *testing.T) bool {
	t.Helper()
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(fmt.Sprintf(`-> FLOCK +ADVISORY +WRITE %d `, os.Getpid())).Match(locks)
}
