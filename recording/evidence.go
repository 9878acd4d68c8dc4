package recording

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tapedeck/internal/durable"
	"tapedeck/recording/audit"
	"tapedeck/recording/chain"
	"tapedeck/recording/evidence"
)

// OpenAudit returns the audit log of the recordings with its evidence log, which lies
// in another folder: FreeSWITCH should not be able to write there. Host names the
// file of this host. With an error there is an audit log all the same: it has no evidence
// log if the folder cannot be made, and else tries again with each line.
func OpenAudit(d Dir, evidenceDir, host string) (*audit.Log, error) {
	plain := audit.New(d.root, nil)
	ev, err := evidence.Open(evidenceDir, host, d.root, books{d, plain})
	return audit.New(d.root, ev), err
}

// books are what the evidence log tells of.
type books struct {
	dir   Dir
	audit *audit.Log // without evidence
}

func (b books) Begin() (size int64, sum string, recordings bool, err error) {
	size, sum, err = b.audit.Sum()
	organisations, _ := b.dir.organisations() // without the folder there are none
	return size, sum, len(organisations) > 0, err
}

// Settle looks what has become of an entry of a process that may have been killed. It
// trusts what it finds only as far as the entry says what was there before.
func (b books) Settle(open chain.Entry) (entries []chain.Entry, do func() error, err error) {
	switch open.Kind {
	case chain.Line:
		return b.audit.Settle(open.Seq, open.Line)
	case chain.Sidecar:
		sum, err := sumOf(filepath.Join(b.dir.root, open.File))
		written := sum == open.Sidecar || sum != open.Was || sum == "" && !b.dir.hasDraft(open.Recording)
		if err != nil || written { // or changed by somebody else, which Verify tells
			return nil, nil, err
		}
		return []chain.Entry{{Kind: chain.Undone, Of: open.Seq, Organisation: open.Organisation, Recording: open.Recording, Why: "the process was killed before"}}, nil, nil
	}
	return nil, nil, nil
}

// sumOf returns the SHA-256 of a sidecar; "" if there is none.
func sumOf(path string) (string, error) {
	data, err := readRegular(path, maxSidecar)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return chain.SumOf(data), nil
}

// writeSidecar writes a sidecar after its entry in the evidence log.
func (d Dir) writeSidecar(ev *evidence.Log, path string, s Sidecar) error {
	err := d.recordSidecar(ev, path, s)
	if err != nil {
		return fmt.Errorf("recording: write sidecar: %w", err)
	}
	return nil
}

func (d Dir) recordSidecar(ev *evidence.Log, path string, s Sidecar) error {
	data, err := s.checked()
	if err != nil {
		return err
	}
	return d.inFolder(path, func(folder *durable.Folder, name string) error {
		staged, err := folder.Stage(name, data, true) // what the disk refuses is refused before there is an entry
		if err != nil {
			return err
		}
		defer staged.Drop()
		return ev.Record(func(string, int64) (chain.Entry, error) {
			e := chain.Entry{Kind: chain.Sidecar, Organisation: s.Organisation, Recording: s.ID(), Sidecar: chain.SumOf(data)}
			if s.File != nil {
				e.Sound = s.File.SHA256
			}
			e.File, err = filepath.Rel(d.root, path)
			if err == nil {
				e.Was, err = sumOf(path)
			}
			return e, err
		}, staged.Commit)
	})
}

// EvidenceConfig says what VerifyEvidence compares.
type EvidenceConfig struct {
	Dir         Dir
	Evidence    string              // the folder of the evidence logs
	Checkpoints []string            // files with copies of checkpoints
	Keys        []ed25519.PublicKey // without keys, signatures are not looked at
	Gently      bool                // rest for as long as it works, so that half of the time is left to calls
}

// ErrNoEvidence is what VerifyEvidence returns if there is no evidence log, or only empty
// ones, and nothing tells of one.
var ErrNoEvidence = errors.New("recording: there is no evidence log")

// VerifyEvidence compares all evidence logs of a folder with their checkpoints, with
// the audit log and with the sidecars. It does not read the sound: Verify compares
// that with the sidecars. It changes nothing, and others may write meanwhile: they wait
// for moments only, and never for found.
func VerifyEvidence(ctx context.Context, cfg EvidenceConfig, found func(chain.Finding)) (chain.Summary, error) {
	tell := found
	v := chain.NewVerifier(cfg.Keys, func(f chain.Finding) { tell(f) })
	for _, path := range cfg.Checkpoints {
		if err := evidence.Read(path, v.Checkpoints); err != nil {
			return chain.Summary{}, err
		}
	}
	files, err := evidence.Files(cfg.Evidence)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return chain.Summary{}, err
	}
	r, err := evidence.NewReader(files, audit.New(cfg.Dir.root, nil).Path())
	if err != nil {
		return chain.Summary{}, err
	}
	defer r.Close()
	pace := &pace{ctx: ctx, rests: cfg.Gently, begin: time.Now()}
	if err := r.More(pace.reader(v.Log), pace.reader(v.Lines)); err != nil {
		return chain.Summary{}, err
	}
	unread := verifySidecars(cfg.Dir, v, pace)
	var summary chain.Summary
	var last []chain.Finding // made while the logs are locked
	tell = func(f chain.Finding) { last = append(last, f) }
	err = r.Locked(func() error {
		err := r.Rest(v.Log, v.Lines)
		summary = v.End(func(file string) string {
			sum, broken := sumOf(filepath.Join(cfg.Dir.root, file))
			unread = errors.Join(unread, broken)
			return sum
		}, cfg.Dir.hasDraft)
		return err
	})
	for _, f := range last {
		found(f)
	}
	if err = errors.Join(err, unread); err == nil && summary.Logs == 0 && summary.Findings == 0 {
		err = fmt.Errorf("%w in %s", ErrNoEvidence, cfg.Evidence)
	}
	return summary, err
}

// verifySidecars hands each sidecar to a Verifier.
func verifySidecars(d Dir, v *chain.Verifier, p *pace) error {
	var unread []error
	err := Walk(p.ctx, d, func(day Day) error {
		for _, f := range day.Recordings {
			if !f.Sidecar {
				continue
			}
			path := day.SidecarPath(f.ID)
			sum, err := sumOf(path)
			if err != nil {
				unread = append(unread, err)
			}
			if file, err := filepath.Rel(d.root, path); err == nil && sum != "" {
				v.Recording(chain.Recording{Organisation: day.Organisation, ID: f.ID, Day: day.Date, File: file, Sum: sum})
			}
			if err := p.rest(); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // nothing was ever recorded
	}
	return errors.Join(append(unread, err)...)
}

// pace is how fast a verification goes.
type pace struct {
	ctx   context.Context
	rests bool
	begin time.Time // of the work since the last rest
}

// rest ends a verification that nobody waits for any more. If it is to go gently, rest
// takes as long as the work since the last rest, once that was 10 ms.
func (p *pace) rest() error {
	if worked := time.Since(p.begin); p.rests && worked >= 10*time.Millisecond {
		select {
		case <-time.After(min(worked, time.Second)):
		case <-p.ctx.Done():
		}
		p.begin = time.Now()
	}
	return p.ctx.Err()
}

// reader returns a function that reads at this pace.
func (p *pace) reader(read func(where string, r io.Reader) error) func(where string, r io.Reader) error {
	return func(where string, r io.Reader) error { return read(where, &pacedReader{r, p}) }
}

type pacedReader struct {
	io.Reader
	pace *pace
}

func (r *pacedReader) Read(data []byte) (int, error) {
	if err := r.pace.rest(); err != nil {
		return 0, err
	}
	return r.Reader.Read(data)
}

// Host returns the name of this host.
func Host() string {
	name, err := os.Hostname()
	if err != nil {
		return "host"
	}
	return name
}
