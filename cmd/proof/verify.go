package proof

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tapedeck/cmd/config"
	"tapedeck/cmd/words"
	"tapedeck/internal/tidy"
	"tapedeck/recording"
	"tapedeck/recording/audit"
	"tapedeck/recording/chain"
)

// Open opens the audit log with its evidence log. With an error there is an audit log
// all the same: it has no evidence log if the folder cannot be made, and else tries
// again with each line.
func Open(cfg *config.Config) (*audit.Log, error) {
	log, err := recording.OpenAudit(cfg.Recordings.Dir, cfg.Audit.Dir, recording.Host())
	if err != nil {
		return log, fmt.Errorf("audit.dir in the daemon file: %w", err)
	}
	return log, nil
}

// Files are the files that prove something, besides the logs.
type Files struct {
	Checkpoints []string // with copies of checkpoints
	Keys        []string // public keys
}

// FilesOf returns the files that the daemon file names, as far as they are there.
func FilesOf(cfg *config.Config) (f Files) {
	if there(cfg.Audit.Key + publicExt) {
		f.Keys = []string{cfg.Audit.Key + publicExt}
	}
	for _, place := range cfg.Audit.Copies {
		if filepath.IsAbs(place) && there(place) {
			f.Checkpoints = append(f.Checkpoints, place)
		}
	}
	return f
}

func there(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// Check compares the evidence logs of the daemon file with these files, with the audit
// log and with the sidecars. Gently leaves half of the time to others.
func Check(ctx context.Context, cfg *config.Config, files Files, gently bool, found func(chain.Finding)) (chain.Summary, error) {
	var keys []ed25519.PublicKey
	for _, path := range files.Keys {
		key, err := readPublicKey(path)
		if err != nil {
			return chain.Summary{}, err
		}
		keys = append(keys, key)
	}
	return recording.VerifyEvidence(ctx, recording.EvidenceConfig{Dir: cfg.Recordings.Dir, Evidence: cfg.Audit.Dir,
		Checkpoints: files.Checkpoints, Keys: keys, Gently: gently}, found)
}

// maxLine is the longest line that is printed, in bytes.
const maxLine = 1000

// Print checks, and prints a line for each finding that wanted accepts, and then what
// was looked at. What is wrong is an error.
func Print(ctx context.Context, cfg *config.Config, files Files, stdout io.Writer, wanted func(chain.Finding) bool) error {
	wrong := 0
	s, err := Check(ctx, cfg, files, false, func(f chain.Finding) {
		if !wanted(f) {
			return
		}
		mark := "note: "
		if !f.Note {
			wrong++
			mark = ""
		}
		fmt.Fprintln(stdout, tidy.Text(mark+f.String(), maxLine))
	})
	if err != nil && !errors.Is(err, recording.ErrNoEvidence) {
		return err
	}
	if s.Logs > 0 {
		fmt.Fprintln(stdout, summary(s, len(files.Keys) > 0))
	}
	if wrong > 0 {
		err = fmt.Errorf("evidence: wrong: %d: each is a line above", wrong)
	}
	return err
}

// summary says in one line what was looked at.
func summary(s chain.Summary, keys bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "evidence: %s with %s, %s of the audit log, %s",
		words.Count(s.Logs, "log"), entries(s.Entries), words.Count(s.Lines, "line"), words.Count(s.Sidecars, "sidecar"))
	if s.Older > 0 {
		fmt.Fprintf(&b, ", %d of them older than the log and not proved", s.Older)
	}
	switch {
	case !keys:
		b.WriteString("; signatures were not looked at: there is no public key")
	case s.Checkpoint.Seq == 0:
		b.WriteString("; no signed checkpoint")
	default:
		fmt.Fprintf(&b, "; signed up to %s, %s after that", s.Checkpoint.At.UTC().Format(time.RFC3339), entries(s.Since))
	}
	if s.Findings == 0 {
		b.WriteString(": all is as it was written")
	}
	return b.String()
}

func entries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}
