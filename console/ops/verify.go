package ops

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"tapedeck/recording"
)

// Verdict is the result of Verify.
type Verdict struct {
	OK       bool      `json:"ok"`    // the files are as they were written
	Live     bool      `json:"live"`  // it is being recorded, so nothing was read
	Bytes    int64     `json:"bytes"` // of sound that was read
	Findings []Finding `json:"findings"`
}

// Finding is something wrong with the files.
type Finding struct {
	What   string `json:"what"`
	Detail string `json:"detail"`
}

// Verify reads the files of a recording anew, and compares the checksum and the
// pauses with the sidecar. At most verifiers recordings are read at once; the
// others wait.
func (r *Recordings) Verify(ctx context.Context, v Visitor, id string) (Verdict, error) {
	entry, err := r.Find(ctx, v, id)
	if err != nil {
		return Verdict{}, err
	}
	path, err := r.soundPath(entry)
	if err != nil {
		return Verdict{}, err
	}
	select {
	case r.verifying <- struct{}{}:
		defer func() { <-r.verifying }()
	case <-ctx.Done():
		return Verdict{}, ctx.Err()
	}
	counts, found, err := recording.VerifyOne(ctx, r.shop, r.dir, path)
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNotFound
	}
	if err != nil {
		return Verdict{}, err
	}
	found = slices.DeleteFunc(found, func(f recording.Finding) bool { return f.What == recording.Admitted }) // these are the recording's problems
	verdict := Verdict{OK: len(found) == 0 && counts.Live == 0, Live: counts.Live > 0, Bytes: counts.Bytes, Findings: []Finding{}}
	for _, f := range found {
		verdict.Findings = append(verdict.Findings, Finding{f.What, f.Detail})
	}
	return verdict, nil
}

// verifiers is how many recordings are read anew at once.
const verifiers = 2
