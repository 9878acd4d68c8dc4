package recording

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/internal/testkit"
	"tapedeck/recording/audit"
	"tapedeck/recording/chain"
)

// proved is a folder of recordings with its evidence log, which is in a folder beside.
type proved struct {
	*testing.T
	dir    Dir
	proofs string
	log    *audit.Log
}

func newProved(t *testing.T) *proved {
	t.Helper()
	p := &proved{T: t, dir: tempDir(t), proofs: filepath.Join(t.TempDir(), "made", "audit")}
	p.open()
	return p
}

// open opens the logs as a process does that starts.
func (p *proved) open() {
	p.Helper()
	log, err := OpenAudit(p.dir, p.proofs, "host")
	if err != nil {
		p.Fatal(err)
	}
	p.log = log
}

// verify returns what is wrong, and how many notes there are.
func (p *proved) verify(keys ...ed25519.PublicKey) (wrong []string, notes int) {
	p.Helper()
	s, err := VerifyEvidence(p.Context(), EvidenceConfig{Dir: p.dir, Evidence: p.proofs, Keys: keys}, func(f chain.Finding) {
		if !f.Note {
			wrong = append(wrong, f.What+": "+f.String())
		}
	})
	if err != nil {
		p.Fatal(err)
	}
	return wrong, s.Notes
}

// right fails the test if something is wrong.
func (p *proved) right() {
	p.Helper()
	if wrong, _ := p.verify(); len(wrong) > 0 {
		p.Fatalf("wrong: %q", wrong)
	}
}

// finish records a call, and returns the path of its sound.
func (p *proved) finish(id string) string {
	p.Helper()
	s := sample(id)
	sampleSound().Write(p, pathOf(p, p.dir, s))
	a, stop := running(p.T, ArchiveConfig{Dir: p.dir, Evidence: p.log.Evidence()})
	if _, err := finishing(a, s)(); err != nil {
		p.Fatal(err)
	}
	if err := stop(); err != nil {
		p.Fatal(err)
	}
	return pathOf(p, p.dir, s)
}

func (p *proved) add(what string) {
	p.Helper()
	if err := p.log.Add(audit.Line{At: day, Who: "anna", What: what, Recording: "one"}); err != nil {
		p.Fatal(err)
	}
}

var carol = audit.Actor{Who: "carol", From: "command line"}

// TestEvidence: whatever is done with recordings leaves a log that agrees with them.
func TestEvidence(t *testing.T) {
	p := newProved(t)
	one, two, three := p.finish("one"), p.finish("two"), p.finish("three")
	p.add(audit.Listen)
	for _, hold := range []*Hold{{By: "carol", Reason: "court", At: day}, nil} {
		if _, err := SetHold(p.dir, one, hold, p.log, carol, day); err != nil {
			t.Fatal(err)
		}
	}
	if err := Delete(p.dir, two, p.log, carol, "why", day); err != nil {
		t.Fatal(err)
	}
	p.right()
	cfg := PurgeConfig{Dir: p.dir, Now: day.AddDate(1, 0, 0), Retention: keep(time.Hour), Audit: p.log, By: audit.Actor{Who: "tapedeck serve", From: "retention"}}
	if done, err := Purge(t.Context(), cfg); err != nil || done.Deleted != 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	p.right()
	if exists(three) {
		t.Error("it is not purged")
	}
	info, err := os.Stat(p.proofs)
	if err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestEvidenceAttacks: what was done to the files of 42c2037 and no command noticed.
func TestEvidenceAttacks(t *testing.T) {
	edit := func(change func([]string) []string) func(p *proved, one string) {
		return func(p *proved, _ string) {
			text, err := os.ReadFile(p.log.Path())
			if err != nil {
				p.Fatal(err)
			}
			lines := change(strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"))
			if err := os.WriteFile(p.log.Path(), []byte(strings.Join(lines, "\n")+"\n"), 0o640); err != nil {
				p.Fatal(err)
			}
		}
	}
	for name, test := range map[string]struct {
		attack func(p *proved, one string)
		want   string
	}{
		"a line of the audit log is cut": {edit(func(l []string) []string { return slices.Delete(l, 1, 2) }), chain.Cut},
		"the audit log is emptied":       {func(p *proved, _ string) { write(p, p.log.Path(), nil) }, chain.Truncated},
		"the audit log is removed":       {func(p *proved, _ string) { remove(p, p.log.Path()) }, chain.Truncated},
		"a line is put into the audit log": {edit(func(l []string) []string {
			return append(l, `{"at":"2026-03-09T12:00:00Z","who":"eve","what":"listen"}`)
		}), chain.Inserted},
		"a line of the audit log is changed":  {edit(func(l []string) []string { l[0] = strings.Replace(l[0], "anna", "bert", 1); return l }), chain.Flipped},
		"a sidecar is altered with its sound": {forge, chain.Replaced},
		"a held recording is removed": {func(p *proved, one string) {
			remove(p, one)
			remove(p, SidecarPath(one))
		}, chain.Cut},
		"a recording is put there": {func(p *proved, one string) {
			s := sample("new")
			s.Started = s.Started.AddDate(0, 0, 1)
			put(p, p.dir, s)
		}, chain.Inserted},
		"the evidence log is removed": {func(p *proved, _ string) { remove(p, p.log.Evidence().Path()) }, chain.MissingLog},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProved(t)
			one := p.finish("one")
			p.add(audit.SignIn)
			if _, err := SetHold(p.dir, one, &Hold{By: "carol", Reason: "court", At: day}, p.log, carol, day); err != nil {
				t.Fatal(err)
			}
			p.add(audit.Listen)
			p.add(audit.SignOut)
			p.right()
			test.attack(p, one)
			s, err := VerifyEvidence(t.Context(), EvidenceConfig{Dir: p.dir, Evidence: p.proofs}, func(f chain.Finding) {
				if !f.Note && f.What == test.want {
					test.want = ""
				}
			})
			if test.want != "" {
				t.Errorf("%q is not found: %+v, %v", test.want, s, err)
			}
		})
	}
}

// forge changes the sound of a recording, and makes its sidecar agree.
func forge(p *proved, one string) {
	testkit.NewClip(2, 8000).Add(1000, tone+1).Add(1000, 0).Write(p, one)
	s, err := ReadSidecar(SidecarPath(one))
	if err == nil {
		s, err = Examine(p.Context(), one, s)
	}
	if err == nil {
		err = WriteSidecar(SidecarPath(one), s)
	}
	if err != nil {
		p.Fatal(err)
	}
	if _, found, err := VerifyOne(p.Context(), InProcess{}, p.dir, one); err != nil || len(found) > 0 {
		p.Fatalf("the forgery is not perfect: %v, %v", found, err)
	}
}

func write(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o640); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// TestEvidenceGoesOn: whatever happened to the files, the next process goes on, and
// says what it found.
func TestEvidenceGoesOn(t *testing.T) {
	cut := func(n int64) func(p *proved) {
		return func(p *proved) {
			path := p.log.Evidence().Path()
			if err := os.Truncate(path, sizeOf(path)-n); err != nil {
				p.Fatal(err)
			}
		}
	}
	for name, test := range map[string]struct {
		damage func(p *proved)
		wrong  string // "" if it is only noted
	}{
		"the last entry is torn":                   {cut(10), "inserted"}, // the audit log has its line
		"the end of the last line is missing":      {cut(1), "inserted"},
		"the line of the last entry is not there":  {func(p *proved) { write(p, p.log.Path(), nil) }, ""},
		"the line of the last entry is torn":       {func(p *proved) { write(p, p.log.Path(), []byte(`{"at":"2026`)) }, ""},
		"only the end of that line is not there":   {func(p *proved) { size := sizeOf(p.log.Path()); _ = os.Truncate(p.log.Path(), size-1) }, ""},
		"the first entry is damaged":               {func(p *proved) { flip(p, 5) }, "damaged"},
		"the last entry is damaged":                {func(p *proved) { flip(p, sizeOf(p.log.Evidence().Path())-90) }, "damaged"},
		"the log is empty":                         {func(p *proved) { write(p, p.log.Evidence().Path(), nil) }, "log missing"},
		"a first sidecar is not written":           {openSidecar, ""},
		"a hold is not written into its sidecar":   {openHold, ""},
		"a sidecar is altered by somebody instead": {func(p *proved) { one := p.finish("one"); forge(p, one) }, "replaced"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProved(t)
			p.add(audit.SignIn)
			test.damage(p)
			before, _ := p.verify()
			p.open()
			p.add(audit.SignOut)
			wrong, notes := p.verify()
			named := slices.ContainsFunc(slices.Concat(before, wrong), func(f string) bool { return strings.HasPrefix(f, test.wrong) })
			if test.wrong == "" && len(before)+len(wrong) > 0 || test.wrong != "" && !named || test.wrong == "" && notes == 0 {
				t.Errorf("before %q, after %q, notes %d", before, wrong, notes)
			}
		})
	}
}

// flip changes a byte of the evidence log.
func flip(p *proved, at int64) {
	p.Helper()
	text, err := os.ReadFile(p.log.Evidence().Path())
	if err != nil {
		p.Fatal(err)
	}
	text[at] ^= 1
	write(p, p.log.Evidence().Path(), text)
}

// openSidecar leaves what a process leaves that is killed before it writes a sidecar.
func openSidecar(p *proved) {
	s := sample("one")
	if err := p.dir.writeDraft(s); err != nil {
		p.Fatal(err)
	}
	p.interrupted(chain.Entry{Kind: chain.Sidecar, Organisation: "acme", Recording: "one", File: "acme/2026/03/09/one.json", Sidecar: "1", Sound: "1"})
}

func openHold(p *proved) {
	one := p.finish("one")
	was, err := sumOf(SidecarPath(one))
	if err != nil {
		p.Fatal(err)
	}
	p.interrupted(chain.Entry{Kind: chain.Sidecar, Organisation: "acme", Recording: "one", File: "acme/2026/03/09/one.json", Sidecar: "1", Sound: "1", Was: was})
}

// interrupted adds an entry, and does not do what it tells of.
func (p *proved) interrupted(e chain.Entry) {
	p.Helper()
	if err := p.log.Evidence().Record(func(string, int64) (chain.Entry, error) { return e, nil }, nil); err != nil {
		p.Fatal(err)
	}
}

// TestEvidenceCutWhileOpen: a process notices at its next entry that somebody cut the
// log or put another one there.
func TestEvidenceCutWhileOpen(t *testing.T) {
	for name, attack := range map[string]func(p *proved, path string){
		"cut": func(p *proved, path string) {
			lines := linesOf(p, path)
			write(p, path, []byte(strings.Join(lines[:2], "")))
		},
		"replaced":             func(p *proved, path string) { remove(p, path) },
		"written anew, longer": writtenAnew,
	} {
		t.Run(name, func(t *testing.T) {
			p := newProved(t)
			p.add(audit.SignIn)
			p.add(audit.Listen)
			attack(p, p.log.Evidence().Path())
			p.add(audit.SignOut)
			if wrong, _ := p.verify(); !slices.ContainsFunc(wrong, func(f string) bool { return strings.HasPrefix(f, chain.Damage) }) {
				t.Errorf("%q", wrong)
			}
		})
	}
}

// writtenAnew changes the last entry of a log and adds one, as somebody would who has no
// key and wants all hashes to be right.
func writtenAnew(p *proved, path string) {
	lines := linesOf(p, path)
	last, err := chain.Decode([]byte(strings.TrimSuffix(lines[len(lines)-1], "\n")))
	if err != nil {
		p.Fatal(err)
	}
	last.At = last.At.Add(time.Second)
	more := chain.Entry{Seq: last.Seq + 1, At: last.At, Kind: chain.Removed, Organisation: "acme", Recording: "two"}
	lines = lines[:len(lines)-1]
	for _, e := range []*chain.Entry{&last, &more} {
		text, err := e.Encode()
		if err != nil {
			p.Fatal(err)
		}
		lines, more.Prev = append(lines, string(text)), e.Hash
	}
	write(p, path, []byte(strings.Join(lines, "")))
}

func linesOf(t testing.TB, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(strings.Lines(string(text)))
}

// TestEvidenceRefuses: what cannot be written into the evidence log is not done.
func TestEvidenceRefuses(t *testing.T) {
	p := newProved(t)
	one := p.finish("one")
	path := p.log.Evidence().Path()
	remove(t, path)
	if err := os.Symlink(filepath.Join(t.TempDir(), "elsewhere"), path); err != nil {
		t.Fatal(err)
	}
	size := sizeOf(p.log.Path())
	if err := p.log.Add(audit.Line{At: day, What: audit.Listen}); !errors.Is(err, audit.ErrNotWritten) {
		t.Errorf("%v", err)
	}
	if err := Delete(p.dir, one, p.log, carol, "why", day); !errors.Is(err, audit.ErrNotWritten) || sizeOf(one) == 0 || sizeOf(p.log.Path()) != size {
		t.Errorf("%v", err)
	}
}

// TestEvidenceOfOlder: recordings and lines from before the log began are no findings.
func TestEvidenceOfOlder(t *testing.T) {
	p := &proved{T: t, dir: tempDir(t), proofs: t.TempDir()}
	put(t, p.dir, sample("one"))
	if err := audit.New(p.dir.String(), nil).Add(audit.Line{At: day, What: audit.SignIn}); err != nil {
		t.Fatal(err)
	}
	p.open()
	p.add(audit.Listen)
	p.right()
	s := sample("late")
	s.Started = time.Now().AddDate(0, 0, 2)
	put(t, p.dir, s)
	if wrong, _ := p.verify(); len(wrong) != 1 {
		t.Errorf("%q", wrong)
	}
}

// TestCheckpoints: what was cut after a checkpoint is found by the copy of it, and a
// wrong key by the public one.
func TestCheckpoints(t *testing.T) {
	p := newProved(t)
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	p.add(audit.SignIn)
	copied, err := p.log.Evidence().Checkpoint(chain.AtStop, private)
	if err != nil {
		t.Fatal(err)
	}
	if wrong, _ := p.verify(public); len(wrong) > 0 {
		t.Errorf("%q", wrong)
	}
	other, _, _ := ed25519.GenerateKey(nil)
	if wrong, _ := p.verify(other); len(wrong) == 0 {
		t.Error("another key is taken")
	}
	file := filepath.Join(t.TempDir(), "copies")
	write(t, file, copied)
	lines := linesOf(t, p.log.Evidence().Path())
	write(t, p.log.Evidence().Path(), []byte(lines[0]))
	write(t, p.log.Path(), nil) // the attacker makes everything agree
	p.right()
	var found []chain.Finding
	cfg := EvidenceConfig{Dir: p.dir, Evidence: p.proofs, Keys: []ed25519.PublicKey{public}, Checkpoints: []string{file}}
	if _, err := VerifyEvidence(t.Context(), cfg, func(f chain.Finding) { found = append(found, f) }); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(found, func(f chain.Finding) bool { return f.What == chain.Truncated }) {
		t.Errorf("%q", found)
	}
}

const evidenceEnv = "TAPEDECK_TEST_EVIDENCE"

// recordForever does all that is written into the log, until it is killed.
func recordForever(root string) {
	d, err := NewDir(root)
	if err != nil {
		panic(err)
	}
	log, err := OpenAudit(d, root+"-audit", "host")
	for n := 0; err == nil; n++ {
		s := sample(fmt.Sprintf("call-%d-%d", os.Getpid(), n%3))
		s.External = fmt.Sprint(n)
		var path string
		if path, err = s.Path(d); err != nil {
			break
		}
		if err = d.writeDraft(s); err == nil {
			_, err = d.save(log.Evidence(), SidecarPath(path), s)
		}
		if err == nil {
			err = d.removeDraft(s.ID())
		}
		if err == nil {
			err = log.Add(audit.Line{At: day, What: audit.Listen, Detail: s.External})
		}
		if err == nil && n%2 == 0 {
			_, err = SetHold(d, path, &Hold{By: "carol", Reason: s.External, At: day}, log, carol, day)
		}
		if err == nil && n%2 == 0 {
			_, err = SetHold(d, path, nil, log, carol, day)
		}
		if err == nil && n%3 == 0 {
			err = Delete(d, path, log, carol, "why", day)
		}
	}
	panic(err)
}

// TestEvidenceKilled: two processes write at once, and both are killed at any moment.
// The log is right then, and again after the next start.
func TestEvidenceKilled(t *testing.T) {
	p := &proved{T: t, dir: tempDir(t)}
	p.proofs = p.dir.String() + "-audit"
	t.Cleanup(func() { _ = os.RemoveAll(p.proofs) })
	p.open()
	rnd := testkit.Rand(t, uint64(time.Now().UnixNano()))
	notes, lines := 0, 0
	for round := 0; round < 15 || lines < 30; round++ { // a slow machine writes less before each kill
		var children sync.WaitGroup
		for range 2 {
			pause := time.Duration(rnd.IntN(20_000)) * time.Microsecond
			children.Go(func() { killRecorder(t, p, pause) })
		}
		children.Wait()
		p.right()
		p.open()
		p.right()
		_, notes = p.verify()
		lines = len(testkit.JSONLines[audit.Line](t, p.log.Path()))
	}
	t.Logf("%d lines, %d entries that tell what was left open", lines, notes)
}

// killRecorder starts a process that writes, and kills it a while after it has written.
func killRecorder(t *testing.T, p *proved, pause time.Duration) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), evidenceEnv+"="+p.dir.String())
	size := sizeOf(p.log.Path())
	if err := child.Start(); err != nil {
		t.Error(err)
		return
	}
	if !testkit.Happens(testkit.Patience, func() bool { return sizeOf(p.log.Path()) != size }) {
		t.Error("the child writes nothing")
	}
	time.Sleep(pause) // so that it dies anywhere
	_ = child.Process.Kill()
	if err := child.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Error(err)
	}
}

// TestEvidenceMeanwhile: while others write, nothing is found that is not wrong.
func TestEvidenceMeanwhile(t *testing.T) {
	p := newProved(t)
	var writers sync.WaitGroup
	defer writers.Wait()
	for n := range 2 {
		log, err := OpenAudit(p.dir, p.proofs, "host")
		if err != nil {
			t.Fatal(err)
		}
		writers.Go(func() {
			for i := range 40 {
				s := sample(fmt.Sprintf("call-%d-%d", n, i%7))
				path := SidecarPath(pathOf(t, p.dir, s))
				if _, err := p.dir.save(log.Evidence(), path, s); err != nil {
					t.Error(err)
				}
				if _, err := SetHold(p.dir, path, &Hold{By: "carol", Reason: fmt.Sprint(i), At: day}, log, carol, day); err != nil {
					t.Error(err)
				}
				if _, err := SetHold(p.dir, path, nil, log, carol, day); err != nil {
					t.Error(err)
				}
				if err := Delete(p.dir, path, log, carol, "why", day); err != nil {
					t.Error(err)
				}
			}
		})
	}
	ended := make(chan struct{})
	go func() { writers.Wait(); close(ended) }()
	for rounds := 0; ; rounds++ {
		p.right()
		select {
		case <-ended:
			t.Logf("%d times", rounds)
			return
		default:
		}
	}
}
