package recording

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tapedeck/internal/durable"
	"tapedeck/internal/testkit"
	"tapedeck/internal/tidy"
	"tapedeck/recording/audit"
)

const month = 30 * 24 * time.Hour

// afterMonth is the first moment at which the samples are older than a month.
var afterMonth = day.Add(2*time.Second + month + time.Millisecond)

func TestPurge(t *testing.T) {
	hold := func(s *Sidecar) { s.Hold = &Hold{By: "carol"} }
	for name, test := range map[string]struct {
		harm    func(t *testing.T, d Dir, one, part, two string)
		now     time.Time
		keep    time.Duration
		live    string
		deleted []string
		kept    map[string]KeptReason
	}{
		"over":            {now: afterMonth, keep: month, deleted: []string{"one", "one.part2", "two"}},
		"to the instant":  {now: afterMonth.Add(-time.Millisecond), keep: month},
		"kept for ever":   {now: afterMonth, keep: 0},
		"kept for less":   {now: afterMonth, keep: -time.Hour},
		"live":            {now: afterMonth, keep: month, live: "two", deleted: []string{"one", "one.part2"}, kept: map[string]KeptReason{"two": KeptLive}},
		"a part is live":  {now: afterMonth, keep: month, live: "one.part2", deleted: []string{"two"}, kept: map[string]KeptReason{"one": KeptLive, "one.part2": KeptLive}},
		"nothing is over": {now: day, keep: month},
		"held": {func(t *testing.T, d Dir, one, part, two string) { alter(t, two, hold) },
			afterMonth, month, "", []string{"one", "one.part2"}, map[string]KeptReason{"two": KeptHeld}},
		"a part is held": {func(t *testing.T, d Dir, one, part, two string) { alter(t, part, hold) },
			afterMonth, month, "", []string{"two"}, map[string]KeptReason{"one": KeptHeld, "one.part2": KeptHeld}},
		"the first part is held": {func(t *testing.T, d Dir, one, part, two string) { alter(t, one, hold) },
			afterMonth, month, "", []string{"two"}, map[string]KeptReason{"one": KeptHeld, "one.part2": KeptHeld}},
		"a draft": {func(t *testing.T, d Dir, one, part, two string) {
			if err := d.writeDraft(sample("one")); err != nil {
				t.Fatal(err)
			}
		}, afterMonth, month, "", []string{"two"}, map[string]KeptReason{"one": KeptLive, "one.part2": KeptLive}},
		"a part is not over": {func(t *testing.T, d Dir, one, part, two string) {
			alter(t, part, func(s *Sidecar) { s.Ended = s.Ended.Add(time.Second) })
		}, afterMonth, month, "", []string{"two"}, nil},
		"no end": {func(t *testing.T, d Dir, one, part, two string) {
			alter(t, two, func(s *Sidecar) { s.Ended = time.Time{} })
		}, day.Add(month + time.Second), month, "", []string{"two"}, nil},
		"an end before the start": {func(t *testing.T, d Dir, one, part, two string) {
			alter(t, two, func(s *Sidecar) { s.Ended = time.Unix(0, 0) })
		}, day.Add(month - time.Second), month, "", nil, nil},
		"no sidecar": {func(t *testing.T, d Dir, one, part, two string) { os.Remove(SidecarPath(two)) },
			afterMonth, month, "", []string{"one", "one.part2"}, map[string]KeptReason{"two": KeptUnknown}},
		"half a sidecar": {func(t *testing.T, d Dir, one, part, two string) {
			edit(t, SidecarPath(part), func(b []byte) []byte { return b[:99] })
		}, afterMonth, month, "", []string{"two"}, map[string]KeptReason{"one": KeptUnknown, "one.part2": KeptUnknown}},
		"another's sidecar": {func(t *testing.T, d Dir, one, part, two string) {
			alter(t, two, func(s *Sidecar) { s.Organisation = "other" })
		}, afterMonth, month, "", []string{"one", "one.part2"}, map[string]KeptReason{"two": KeptUnknown}},
		"interrupted": {func(t *testing.T, d Dir, one, part, two string) { os.Remove(one) },
			afterMonth, month, "", []string{"one", "one.part2", "two"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := tempDir(t)
			second := sample("one")
			second.Part = 2
			one, part, two := put(t, d, sample("one")), put(t, d, second), put(t, d, sample("two"))
			if test.harm != nil {
				test.harm(t, d, one, part, two)
			}
			before := filesBelow(t, d)
			cfg := PurgeConfig{Dir: d, Now: test.now, Retention: keep(test.keep), Live: func(id string) bool { return id == test.live },
				Audit: audit.New(d.String(), nil), By: audit.Actor{Who: "tapedeck", From: "retention"}}
			cfg.Dry = true
			purgeExpects(t, cfg, test.deleted, test.kept)
			if after := filesBelow(t, d); !slices.Equal(before, after) {
				t.Errorf("a dry run left %q of %q", after, before)
			}
			cfg.Dry = false
			purgeExpects(t, cfg, test.deleted, test.kept)
			left := slices.DeleteFunc(before, func(name string) bool {
				return slices.Contains(test.deleted, strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))) && !strings.HasPrefix(name, draftDir)
			})
			after := slices.DeleteFunc(filesBelow(t, d), func(name string) bool { return name == "audit.jsonl" })
			if !slices.Equal(after, left) {
				t.Errorf("left %q\nwant %q", after, left)
			}
			if len(test.deleted) > 0 {
				var lines []string
				for _, l := range testkit.JSONLines[audit.Line](t, cfg.Audit.Path()) {
					if l.What != audit.Delete || l.Who != "tapedeck" || l.Organisation != "acme" || !l.At.Equal(tidy.Time(test.now)) {
						t.Errorf("audit: %+v", l)
					}
					lines = append(lines, l.Recording)
				}
				if !slices.Equal(lines, test.deleted) {
					t.Errorf("in the audit file are %q", lines)
				}
			}
		})
	}
}

func purgeExpects(t *testing.T, cfg PurgeConfig, deleted []string, kept map[string]KeptReason) {
	t.Helper()
	var gone []string
	stayed := map[string]KeptReason{}
	cfg.Deleted = func(s Sidecar) { gone = append(gone, s.ID()) }
	cfg.Kept = func(id, path string, why KeptReason, err error) { stayed[id] = why }
	var there int64 // bytes of sound that may be deleted
	for _, name := range filesBelow(t, cfg.Dir) {
		if id, ok := strings.CutSuffix(filepath.Base(name), soundExt); ok && slices.Contains(deleted, id) {
			there += 64044
		}
	}
	purged, err := Purge(t.Context(), cfg)
	if err != nil || !slices.Equal(gone, deleted) || len(stayed)+len(kept) > 0 && !reflect.DeepEqual(stayed, kept) {
		t.Errorf("dry %v: deleted %q, kept %v, %v\nwant %q, %v", cfg.Dry, gone, stayed, err, deleted, kept)
	}
	if purged.Deleted != len(deleted) || purged.Bytes != there {
		t.Errorf("dry %v: %+v", cfg.Dry, purged)
	}
}

func TestPurgeCleans(t *testing.T) {
	d := tempDir(t)
	path := put(t, d, sample("one"))
	dir := filepath.Dir(path)
	testkit.WriteFile(t, filepath.Join(dir, "one.mp3"), nil)
	testkit.WriteFile(t, filepath.Join(dir, "one.svg"), nil)
	old := filepath.Join(dir, ".one.json.5.tmp")
	testkit.WriteFile(t, old, nil)
	if err := os.Chtimes(old, day, day); err != nil {
		t.Fatal(err)
	}
	elsewhere := t.TempDir()
	link := filepath.Join(filepath.Dir(dir), "08")
	if err := os.Symlink(elsewhere, link); err != nil {
		t.Fatal(err)
	}
	today := filepath.Join(d.String(), "acme", afterMonth.Format("2006/01/02"))
	if err := os.MkdirAll(today, 0o755); err != nil {
		t.Fatal(err)
	}
	cfg := PurgeConfig{Dir: d, Now: afterMonth, Retention: keep(month), Audit: audit.New(d.String(), nil)}
	if purged, err := Purge(t.Context(), cfg); !errors.Is(err, durable.ErrLink) || purged.Deleted != 1 {
		t.Fatalf("%+v, %v", purged, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the day's folder: %v: %q", err, filesBelow(t, d))
	}
	for _, path := range []string{today, link} {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	put(t, d, sample("one"))
	if purged, err := Purge(t.Context(), cfg); err != nil || purged.Deleted != 1 {
		t.Fatalf("%+v, %v", purged, err)
	}
	if left, err := os.ReadDir(filepath.Join(d.String(), "acme", "2026")); err != nil || len(left) != 1 || left[0].Name() != "04" {
		t.Errorf("%v, %v", left, err)
	}
}

// TestPurgeMonths: empty folders of past months go; that of a month in which a
// recording may still begin stays (MakeMonth).
func TestPurgeMonths(t *testing.T) {
	d := tempDir(t)
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	for _, moment := range []time.Time{now.AddDate(-1, 0, 0), now.AddDate(0, -2, 0), now, now.AddDate(0, 0, 1)} {
		if err := d.MakeMonth("acme", moment); err != nil {
			t.Fatal(err)
		}
	}
	testkit.WriteFile(t, filepath.Join(d.String(), "acme/2026/02/note"), nil)
	for _, path := range []string{"acme/2026/03/09", "acme/empty"} { // a day that is over, and what is not ours
		if err := os.Mkdir(filepath.Join(d.String(), path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Purge(t.Context(), PurgeConfig{Dir: d, Now: now, Retention: keep(month), Audit: audit.New(d.String(), nil), Dry: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(d.String(), "acme/2025/03")); err != nil {
		t.Errorf("a dry run: %v", err)
	}
	if _, err := Purge(t.Context(), PurgeConfig{Dir: d, Now: now, Retention: keep(month), Audit: audit.New(d.String(), nil)}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{"2025": false, "2026/01": false, "2026/02": true, "2026/03/09": false, "2026/03": true, "2026/04": true, "empty": true} {
		if _, err := os.Stat(filepath.Join(d.String(), "acme", path)); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := Purge(t.Context(), PurgeConfig{Dir: d, Now: now.AddDate(0, 0, 1), Retention: keep(month), Audit: audit.New(d.String(), nil)}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(d.String(), "acme/2026/03")); err != nil {
		t.Errorf("a recording of a call that began on 31 March may still begin: %v", err)
	}
}

func TestSetHold(t *testing.T) {
	d := tempDir(t)
	path, log := put(t, d, sample(call)), audit.New(d.String(), nil)
	before, err := ReadSidecar(SidecarPath(path))
	if err != nil {
		t.Fatal(err)
	}
	hold := &Hold{By: "carol", Reason: "case 7\n\x00", At: day}
	for _, path := range []string{path, SidecarPath(path)} {
		for _, hold := range []*Hold{hold, nil} {
			if s, err := SetHold(d, path, hold, log, audit.Actor{Who: "carol", From: "192.0.2.1"}, day); err != nil || s.Hold != hold {
				t.Errorf("%+v, %v", s, err)
			}
			after, err := ReadSidecar(SidecarPath(path))
			if (after.Hold != nil) != (hold != nil) || err != nil {
				t.Errorf("%+v, %v", after.Hold, err)
			}
			if after.Hold = nil; !reflect.DeepEqual(after, before) {
				t.Errorf("more is changed than the hold: %+v", after)
			}
		}
	}
	lines := testkit.JSONLines[audit.Line](t, log.Path())
	want := audit.Line{At: day, Who: "carol", What: audit.Hold, Organisation: "acme", Recording: call, From: "192.0.2.1", Detail: "case 7 \ufffd"}
	if len(lines) != 4 || lines[0] != want || lines[1].What != audit.Unhold {
		t.Errorf("%+v", lines)
	}
	for _, path := range []string{"/etc/passwd", path + "/../x.wav", filepath.Join(filepath.Dir(path), "x.wav")} {
		if _, err := SetHold(d, path, hold, log, audit.Actor{}, day); err == nil {
			t.Errorf("%s is held", path)
		}
	}
	other := sample("other")
	if err := WriteSidecar(filepath.Join(filepath.Dir(path), "x.json"), other); err != nil {
		t.Fatal(err)
	}
	if _, err := SetHold(d, filepath.Join(filepath.Dir(path), "x.wav"), hold, log, audit.Actor{}, day); err == nil {
		t.Error("a sidecar of another recording is held")
	}
}

// TestHoldAgainstPurge: a recording whose hold was set is not purged, however close
// the purge is.
func TestHoldAgainstPurge(t *testing.T) {
	d := tempDir(t)
	log := audit.New(d.String(), nil)
	held := 0
	for i := range 60 {
		path := put(t, d, sample(fmt.Sprintf("call-%02d", i)))
		var group sync.WaitGroup
		var hold error
		start := make(chan struct{})
		group.Go(func() {
			<-start
			_, hold = SetHold(d, path, &Hold{By: "carol"}, log, audit.Actor{}, day)
		})
		group.Go(func() {
			<-start
			cfg := PurgeConfig{Dir: d, Now: afterMonth, Retention: keep(month), Audit: log}
			if _, err := Purge(t.Context(), cfg); err != nil {
				t.Error(err)
			}
		})
		close(start)
		group.Wait()
		for _, path := range []string{path, SidecarPath(path)} {
			if _, err := os.Stat(path); (hold == nil) != (err == nil) {
				t.Errorf("%s: %v, the hold: %v", path, err, hold)
			}
		}
		if hold == nil {
			held++
		} else if !errors.Is(hold, fs.ErrNotExist) {
			t.Error(hold)
		}
	}
	t.Logf("%d of 60 are held", held)
}
