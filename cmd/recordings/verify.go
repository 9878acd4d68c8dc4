package recordings

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"tapedeck/cmd/config"
	"tapedeck/cmd/proof"
	"tapedeck/cmd/words"
	"tapedeck/internal/tidy"
	"tapedeck/recording"
	"tapedeck/recording/chain"
)

// Verify reads files and sidecars anew and prints a line for each thing that does not
// agree, with the evidence log either, which is an error, and for each problem that a
// sidecar admits, which is one only if strict is set. Without an id it reads all
// recordings.
func Verify(ctx context.Context, cfg *config.Config, stdout io.Writer, strict bool, ids ...string) error {
	for _, id := range ids {
		if _, err := findFile(ctx, cfg.Recordings.Dir, id); err != nil {
			return err
		}
	}
	err := verifyFiles(ctx, cfg.Recordings.Dir, stdout, strict, ids...)
	about := func(f chain.Finding) bool {
		return len(ids) == 0 || slices.Contains(ids, strings.TrimSuffix(path.Base(f.Where), path.Ext(f.Where)))
	}
	proved := proof.Print(ctx, cfg, proof.FilesOf(cfg), stdout, about)
	if errors.Is(proved, recording.ErrNoEvidence) {
		fmt.Fprintf(stdout, "evidence: there is no evidence log in %s: nothing proves that a sidecar is the one that was written\n", cfg.Audit.Dir)
		proved = nil
	}
	return errors.Join(err, proved)
}

// verifyFiles compares the files with each other.
func verifyFiles(ctx context.Context, d recording.Dir, stdout io.Writer, strict bool, ids ...string) error {
	admitted := map[string]int{} // by the problem's code
	report := func(f recording.Finding) {
		if f.What == recording.Admitted {
			admitted[recording.ProblemCode(f.Detail)]++
		}
		fmt.Fprintln(stdout, tidy.Text(f.String(), maxLine))
	}
	var counts recording.Counts
	var err error
	if len(ids) == 0 {
		counts, err = recording.Verify(ctx, d, report)
	}
	for _, id := range ids {
		if counts, err = verifyOne(ctx, d, id, report); err != nil {
			return err
		}
	}
	problems := counts.Findings[recording.Admitted]
	delete(counts.Findings, recording.Admitted)
	found := 0
	for _, n := range counts.Findings {
		found += n
	}
	line := summary(counts, found)
	if problems > 0 {
		line += "; the sidecars admit " + words.Count(problems, "problem") + ": " + listed(admitted)
	}
	fmt.Fprintln(stdout, line)
	switch {
	case err != nil:
		return fmt.Errorf("not everything was read: %w", err)
	case found > 0:
		return fmt.Errorf("wrong: %d: each is a line above", found)
	case strict && problems > 0:
		return fmt.Errorf("admitted: %d: each is a line above", problems)
	}
	return nil
}

// summary returns one line: what was looked at, and how often each finding was made.
func summary(c recording.Counts, found int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "verified %s, %s of sound", words.Count(c.Recordings, "recording"), words.Size(c.Bytes))
	if c.Live > 0 {
		fmt.Fprintf(&b, ", %d live and not looked at", c.Live)
	}
	if found == 0 && c.Recordings == 0 && c.Live > 0 {
		return b.String()
	}
	if found == 0 {
		return b.String() + ": all is as it was written"
	}
	return b.String() + ": " + listed(c.Findings)
}

// listed returns what was counted, in alphabetical order: "changed 2, stray 1".
func listed(counts map[string]int) string {
	var all []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprintf("%s %d", what, counts[what]))
	}
	return strings.Join(all, ", ")
}

// verifyOne finds one recording and verifies it alone.
func verifyOne(ctx context.Context, d recording.Dir, id string, report func(recording.Finding)) (recording.Counts, error) {
	path, err := findFile(ctx, d, id)
	if err != nil {
		return recording.Counts{}, err
	}
	counts, found, err := recording.VerifyOne(ctx, recording.InProcess{}, d, path)
	for _, f := range found {
		report(f)
	}
	return counts, err
}
