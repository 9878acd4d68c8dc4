package faults

import (
	"context"
	"errors"
	"path/filepath"

	"tapedeck/recording"
	"tapedeck/recording/chain"
)

// judgeEvidence fails unless the evidence log agrees with the audit log and the sidecars,
// whatever was killed, or filled, meanwhile.
func (s *stage) judgeEvidence() {
	dir, err := recording.NewDir(s.spool)
	s.must(err)
	cfg := recording.EvidenceConfig{Dir: dir, Evidence: filepath.Join(s.dir, "audit")}
	summary, err := recording.VerifyEvidence(context.Background(), cfg, func(f chain.Finding) {
		if f.Note {
			s.note("evidence: %s", f)
		} else {
			s.fails("evidence: %s", f)
		}
	})
	if err != nil && !errors.Is(err, recording.ErrNoEvidence) {
		s.fails("evidence: %v", err)
	}
	s.note("evidence: %d entries, %d sidecars, %d notes", summary.Entries, summary.Sidecars, summary.Notes)
}
