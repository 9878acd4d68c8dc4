package recordings

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"tapedeck/cmd/words"
	"tapedeck/internal/tidy"
	"tapedeck/recording"
)

// Verify reads files and sidecars anew and prints a line for each thing that does not
// agree, which is an error. Without an id it reads all recordings.
func Verify(ctx context.Context, d recording.Dir, stdout io.Writer, ids ...string) error {
	report := func(f recording.Finding) { fmt.Fprintln(stdout, tidy.Text(f.String(), maxLine)) }
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
	found := 0
	for _, n := range counts.Findings {
		found += n
	}
	fmt.Fprintln(stdout, summary(counts, found))
	switch {
	case err != nil:
		return fmt.Errorf("not everything was read: %w", err)
	case found > 0:
		return fmt.Errorf("wrong: %d: each is a line above", found)
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
	for i, what := range slices.Sorted(maps.Keys(c.Findings)) {
		fmt.Fprintf(&b, "%s%s %d", map[bool]string{true: ": ", false: ", "}[i == 0], what, c.Findings[what])
	}
	return b.String()
}

// verifyOne finds one recording and verifies it alone.
func verifyOne(ctx context.Context, d recording.Dir, id string, report func(recording.Finding)) (recording.Counts, error) {
	path, err := findFile(ctx, d, id)
	if err != nil {
		return recording.Counts{}, err
	}
	counts, found, err := recording.VerifyOne(ctx, d, path)
	for _, f := range found {
		report(f)
	}
	return counts, err
}
