package recording

import (
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"tapedeck/internal/testkit"
)

func TestUndescribed(t *testing.T) {
	d := tempDir(t)
	live, known := sample("live"), put(t, d, sample("known"))
	if err := d.writeDraft(live); err != nil {
		t.Fatal(err)
	}
	unknown, fresh := sample("unknown"), sample("fresh")
	unknown.Part = 2
	for _, s := range []Sidecar{live, unknown, fresh} {
		sampleSound().Write(t, pathOf(t, d, s))
	}
	now := time.Now()
	for _, s := range []string{known, pathOf(t, d, live), pathOf(t, d, unknown)} {
		if err := os.Chtimes(s, now, day.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Undescribed(t.Context(), d, now.Add(-time.Hour))
	if err != nil || !slices.Equal(got, []string{pathOf(t, d, unknown)}) {
		t.Errorf("%q, %v", got, err)
	}
	s, err := Describe(d, got[0])
	if err != nil || s.ID() != "unknown.part2" || s.Previous != "unknown.wav" || !s.Started.Equal(day.Add(58*time.Second)) || !s.Ended.Equal(day.Add(time.Minute)) {
		t.Errorf("%+v, %v", s, err)
	}
	a, stop := running(t, ArchiveConfig{Dir: d})
	s, err = finishing(a, s)()
	if err != nil || s.Complete || s.File.DurationMS != 2000 || !slices.Equal(s.Problems, []string{"state unknown: a file without a call"}) {
		t.Errorf("%+v, %v", s, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if found := findings(t, d); !reflect.DeepEqual(found, []string{"fresh.wav: no sidecar", "unknown.part2.wav: admitted: state unknown: a file without a call"}) {
		t.Errorf("%q", found)
	}
}

// TestDescribeTimes: an undescribed file keeps its place, whatever its time is.
func TestDescribeTimes(t *testing.T) {
	d := tempDir(t)
	path := pathOf(t, d, sample(call))
	for _, file := range [][]byte{sampleSound().WAV(), nil, []byte("nothing that is sound")} {
		testkit.WriteFile(t, path, file)
		for _, at := range []time.Time{day.AddDate(-3, 0, 0), day, day.AddDate(0, 0, 1), day.AddDate(9, 0, 0)} {
			if err := os.Chtimes(path, at, at); err != nil {
				t.Fatal(err)
			}
			s, err := Describe(d, path)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := s.Path(d); err != nil || got != path {
				t.Errorf("%v: %q, %v", at, got, err)
			}
		}
	}
	if _, err := Describe(d, d.String()+"/../x.wav"); err == nil {
		t.Error("a path outside")
	}
}
