package maintenance

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tapedeck/cmd/spooltest"
	"tapedeck/internal/testkit"
	"tapedeck/recording"
	"tapedeck/store"
)

// TestMaintenanceRecent: a file that a killed Tapedeck left is described once no
// FreeSWITCH has its call; and not as long as it may be written to, one has it,
// or nobody can say.
func TestMaintenanceRecent(t *testing.T) {
	testkit.NoLeaks(t)
	w := newWorkshop(t, store.Embedded)
	now := time.Now()
	day := filepath.Join(w.Spool.Dir.String(), "acme", now.UTC().Format("2006/01/02"))
	file := func(id string, age time.Duration) string {
		path := w.File(filepath.Join(day, spooltest.IDs+id+".wav"), spooltest.WAV(1000, 3000))
		w.Age(path, age)
		return path
	}
	lost, written, live := file("1", time.Minute), file("2", time.Second), file("3", time.Minute)
	known, old := file("4", time.Minute), file("5", time.Hour)
	w.File(recording.SidecarPath(known), []byte("{}"))
	all := []string{lost, written, live, known, old}

	w.going.err = errors.New("a link is down")
	if left := w.recentOnce(t.Context(), now, slices.Clone(all)); !slices.Equal(left, []string{lost, written, live, old}) {
		t.Errorf("left %q", left)
	}
	w.going.err, w.going.calls = nil, map[string]bool{spooltest.IDs + "3": true}
	if left := w.recentOnce(t.Context(), now, slices.Clone(all)); !slices.Equal(left, []string{written}) {
		t.Errorf("left %q", left)
	}
	for path, want := range map[string]bool{lost: true, written: false, live: false, old: false} {
		if spooltest.IsThere(recording.SidecarPath(path)) != want {
			t.Errorf("%s described: %t", filepath.Base(path), !want)
		}
	}
	if left := w.recentOnce(t.Context(), now.Add(time.Minute), []string{written}); len(left) != 0 || !spooltest.IsThere(recording.SidecarPath(written)) {
		t.Errorf("left %q", left)
	}
}
