package recording

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tapedeck/internal/testkit"
)

// TestVerifyOne: VerifyOne finds what Verify finds of this recording, and nothing of
// others.
func TestVerifyOne(t *testing.T) {
	flip := func(b []byte) []byte { b[1000] ^= 1; return b }
	for name, test := range map[string]struct {
		harm func(t *testing.T, d Dir, one string)
		want []string
		live int
	}{
		"nothing":       {func(*testing.T, Dir, string) {}, nil, 0},
		"a flipped bit": {func(t *testing.T, d Dir, one string) { edit(t, one, flip) }, []string{Changed}, 0},
		"truncated": {func(t *testing.T, d Dir, one string) {
			edit(t, one, func(b []byte) []byte { return b[:len(b)/2] })
		}, []string{Truncated, BadDuration, BadSpans}, 0},
		"no sound":   {func(t *testing.T, d Dir, one string) { os.Remove(one) }, []string{NoSound}, 0},
		"no sidecar": {func(t *testing.T, d Dir, one string) { os.Remove(SidecarPath(one)) }, []string{NoSidecar}, 0},
		"half a sidecar": {func(t *testing.T, d Dir, one string) {
			edit(t, SidecarPath(one), func(b []byte) []byte { return b[:99] })
		}, []string{BadSidecar}, 0},
		"swapped": {func(t *testing.T, d Dir, one string) { alter(t, one, func(s *Sidecar) { s.Organisation = "other" }) }, []string{Swapped}, 0},
		"live": {func(t *testing.T, d Dir, one string) {
			if err := d.writeDraft(sample("one")); err != nil {
				t.Fatal(err)
			}
		}, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			d := tempDir(t)
			one, two := put(t, d, sample("one")), put(t, d, sample("two"))
			edit(t, two, flip)
			testkit.WriteFile(t, filepath.Join(filepath.Dir(one), "stray.txt"), nil)
			test.harm(t, d, one)
			for _, path := range []string{one, SidecarPath(one), d.relative(one), strings.TrimSuffix(one, soundExt) + ".svg"} {
				counts, found, err := VerifyOne(t.Context(), InProcess{}, d, path)
				var what []string
				for _, f := range found {
					what = append(what, f.What)
					if f.ID != "one" || f.Path != one || counts.Findings[f.What] != 1 {
						t.Errorf("%+v, %+v", f, counts)
					}
				}
				if err != nil || !slices.Equal(what, test.want) || counts.Live != test.live {
					t.Errorf("%q, %+v, %v", what, counts, err)
				}
			}
		})
	}
}

func TestVerifyOneFails(t *testing.T) {
	d := tempDir(t)
	one := put(t, d, sample("one"))
	if _, _, err := VerifyOne(t.Context(), InProcess{}, d, strings.Replace(one, "one", "two", 1)); !errors.Is(err, fs.ErrNotExist) {
		t.Error("no such recording:", err)
	}
	for _, path := range []string{"/etc/passwd", "", d.String()} {
		if _, _, err := VerifyOne(t.Context(), InProcess{}, d, path); !errors.Is(err, ErrOutside) {
			t.Error(path, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := VerifyOne(ctx, InProcess{}, d, one); !errors.Is(err, context.Canceled) {
		t.Error("ended:", err)
	}
}
