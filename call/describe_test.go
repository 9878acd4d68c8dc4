package call

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"tapedeck/recording"
	"tapedeck/store/index"
)

// indexingStore is a RecordingIndex that remembers what it was given.
type indexingStore struct {
	saved *[]index.Recording
}

func (i indexingStore) Save(r index.Recording) { *i.saved = append(*i.saved, r) }

// TestBetterSidecar: a sidecar whose writer knew more of the call is not written
// over by one that knows less, and it is put into the index.
func TestBetterSidecar(t *testing.T) {
	dir, err := recording.NewDir(t.TempDir())
	if err != nil {
		t.Skip(err) // a name that FreeSWITCH would misread
	}
	var saved []index.Recording
	d := New(Config{Recordings: dir, Calls: noStore{}, Index: indexingStore{saved: &saved}, Archive: noArchive{}}).describer
	began := time.Date(2026, 3, 9, 10, 0, 0, 0, time.UTC)
	s := recording.Sidecar{Version: recording.Version, Call: "c1", Organisation: "acme", Started: began,
		Trace: []recording.Note{{At: began, What: "entered"}, {At: began, What: "told"}}, File: &recording.File{DurationMS: 7000}}
	file, err := dir.PartPath("acme", began, "c1", 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, better := d.betterSidecar(s); better {
		t.Error("there is none yet")
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := recording.WriteSidecar(recording.SidecarPath(file), s); err != nil {
		t.Fatal(err)
	}
	if _, better := d.betterSidecar(s); better {
		t.Error("it knows no more")
	}
	s.Trace, s.File = s.Trace[:1], nil
	if _, better := d.betterSidecar(s); !better {
		t.Error("it knows more")
	}
	d.conclude(s, nil)
	if len(saved) != 1 || saved[0].ID != "c1" || saved[0].DurationMS != 7000 {
		t.Errorf("put into the index: %+v", saved)
	}
}
