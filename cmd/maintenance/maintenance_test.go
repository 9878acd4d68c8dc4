package maintenance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"tapedeck/cmd/spooltest"
	"tapedeck/flow"
	"tapedeck/internal/testkit"
	"tapedeck/metrics"
	"tapedeck/recording"
	"tapedeck/recording/audit"
	"tapedeck/store"
	"tapedeck/store/calls"
	"tapedeck/store/index"
	"tapedeck/store/policy"
)

// TestEveryDay: after a while, then every day, an hour after it could not be
// done, and no more when it is over.
func TestEveryDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		var at []time.Duration
		everyDay(ctx, 90*time.Minute, func(_ context.Context, now time.Time) bool {
			at = append(at, now.Sub(start))
			if len(at) == 5 {
				cancel()
			}
			return len(at) != 2
		})
		want := []time.Duration{90 * time.Minute, 25*time.Hour + 30*time.Minute, 26*time.Hour + 30*time.Minute, 50*time.Hour + 30*time.Minute, 74*time.Hour + 30*time.Minute}
		if len(at) != len(want) {
			t.Fatalf("%v", at)
		}
		for i := range want {
			if at[i] != want[i] {
				t.Errorf("%v, want %v", at, want)
			}
		}
	})
}

// workshop is a maintenance on a spool, with a store and an archive that run.
type workshop struct {
	*spooltest.Spool
	*Maintenance
	recordings *index.Index
	logged     testkit.Log
	going      going
}

// going are the calls that FreeSWITCH has.
type going struct {
	calls map[string]bool
	err   error
}

func (g *going) Live(context.Context, []string) (map[string]bool, error) { return g.calls, g.err }

func newWorkshop(t *testing.T, redis string) *workshop {
	t.Helper()
	w := &workshop{Spool: spooltest.New(t, spooltest.KeptForAMonth, "")}
	log := slog.New(slog.NewTextHandler(&w.logged, nil))
	conn, err := store.Open(t.Context(), store.Config{Redis: redis, Timeout: testkit.Patience, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	archive := recording.NewArchive(recording.ArchiveConfig{Dir: w.Spool.Dir, Log: log})
	s, err := policy.New(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	live := calls.New(conn)
	w.recordings = index.New(conn)
	w.Maintenance = New(Config{Dir: w.Spool.Dir, Policy: s.Policy, Index: w.recordings, Live: live, Alone: conn.Alone(),
		Archive: archive, Audit: audit.New(w.Spool.Dir.String(), nil), Calls: &w.going, Meter: metrics.New(), Log: log})
	t.Cleanup(func() { _ = conn.Close() })
	w.background(conn.Run)
	w.background(archive.Run)
	p, err := flow.Load(filepath.Join(w.Root, "policy.yaml"))
	if err == nil {
		err = s.Apply(t.Context(), p)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// background runs something until the test ends.
func (w *workshop) background(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = run(ctx) }()
	w.Cleanup(func() { cancel(); <-ended })
}

// indexed waits until exactly these are in the index.
func (w *workshop) indexed(want ...string) {
	w.Helper()
	var got []string
	testkit.Until(w, fmt.Sprintf("in the index are %q", want), func() bool {
		list, _, err := w.recordings.Search(w.Context(), index.Query{})
		if err != nil {
			w.Fatal(err)
		}
		got = got[:0]
		for _, r := range list {
			got = append(got, strings.TrimPrefix(r.ID, spooltest.IDs))
		}
		slices.Sort(got)
		return slices.Equal(got, want)
	}, &w.logged)
}

// says waits for a line in the log.
func (w *workshop) says(words ...string) {
	w.Helper()
	w.logged.Await(w, 1, words...)
}

// TestMaintenanceBegins: an index in the memory is made, a file without a call is
// described, and one that somebody may be writing is not.
func TestMaintenanceBegins(t *testing.T) {
	testkit.NoLeaks(t)
	w := newWorkshop(t, store.Embedded)
	w.Variety()
	day := filepath.Join(w.Spool.Dir.String(), "acme/2026/03/09")
	w.Age(w.File(filepath.Join(day, spooltest.IDs+"5.wav"), spooltest.WAV(1000, 3000)), time.Hour)
	fresh := w.File(filepath.Join(day, spooltest.IDs+"6.wav"), spooltest.WAV(1000, 3000))
	start := time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.atStart(ctx, start) }()
	defer func() { cancel(); <-ended }()
	w.indexed("1", "1.part2", "2", "3", "4", "5")
	w.says("level=INFO", `msg="recordings indexed" recordings=5 removed=0`)
	w.says("level=WARN", "file without a call described", "recording="+spooltest.IDs+"5", "organisation=acme")
	if spooltest.IsThere(recording.SidecarPath(fresh)) {
		t.Error("a file that may be written to is described")
	}
	w.atStart(t.Context(), time.Now().Add(time.Hour)) // then it is old
	w.indexed("1", "1.part2", "2", "3", "4", "5", "6")
}

// TestMaintenanceBeginsWithNothing: before the first recording there is no folder.
func TestMaintenanceBeginsWithNothing(t *testing.T) {
	testkit.NoLeaks(t)
	w := newWorkshop(t, store.Embedded)
	if err := os.Remove(w.Spool.Dir.String()); err != nil {
		t.Fatal(err)
	}
	w.atStart(t.Context(), time.Now())
	w.daily(t.Context(), time.Now())
	if log := w.logged.String(); strings.Contains(log, "WARN") || strings.Contains(log, "ERROR") {
		t.Errorf("log:\n%s", log)
	}
}

// TestMaintenanceDaily: what is too old is deleted and out of the index; what a
// command line has done on the disk is in an index that it does not reach.
func TestMaintenanceDaily(t *testing.T) {
	for _, kind := range []string{"embedded", "redis-server"} {
		t.Run(kind, func(t *testing.T) {
			testkit.NoLeaks(t)
			address := store.Embedded
			if kind == "redis-server" {
				address = testkit.StartRedis(t).URL()
			}
			w := newWorkshop(t, address)
			paths := w.Old()
			live := filepath.Join(w.Spool.Dir.String(), ".live", spooltest.IDs+"3.json")
			if err := recording.WriteSidecar(w.File(live, nil), spooltest.AgedCall("3", 0)); err != nil {
				t.Fatal(err)
			}
			w.Maintenance.reindex(t.Context())
			w.indexed("1", "2", "3", "4", "5", "6")
			if !w.daily(t.Context(), time.Now()) {
				t.Error("not done")
			}
			w.indexed("2", "3", "4", "5", "6")
			w.says("level=INFO", `msg="recordings purged" deleted=1 bytes=64044 held=1 live=1`)
			if lines := w.Audit(); len(lines) != 1 || !strings.Contains(lines[0], `"who":"tapedeck serve","what":"delete","organisation":"acme","recording":"`+spooltest.IDs+`1","from":"retention"`) {
				t.Errorf("audit file: %q", lines)
			}
			if spooltest.IsThere(paths["1"]) || !spooltest.IsThere(paths["2"]) || !spooltest.IsThere(paths["3"]) {
				t.Error("deleted is another one")
			}

			if err := errors.Join(os.Remove(paths["2"]), os.Remove(recording.SidecarPath(paths["2"]))); err != nil { // as a command may
				t.Fatal(err)
			}
			w.daily(t.Context(), time.Now())
			if address == store.Embedded {
				w.indexed("3", "4", "5", "6")
			}
		})
	}
}

// TestMaintenanceWithoutRedis: nothing is deleted while nobody knows what is live.
func TestMaintenanceWithoutRedis(t *testing.T) {
	testkit.NoLeaks(t)
	redis := testkit.StartRedis(t)
	w := newWorkshop(t, redis.URL())
	paths := w.Old()
	redis.Kill()
	if w.daily(t.Context(), time.Now()) {
		t.Error("done")
	}
	w.says("level=WARN", "recordings not purged", "nothing is deleted while it is not known which calls are live")
	if !spooltest.IsThere(paths["1"]) {
		t.Error("it is deleted")
	}
}

// TestMaintenanceDoesNotHold: a disk that hangs does not keep serve from ending.
func TestMaintenanceDoesNotHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		if untilEnd(ctx, func(context.Context) { <-disk }) || time.Since(start) != time.Minute+grace {
			t.Errorf("it ended after %v", time.Since(start))
		}
		close(disk)
		if !untilEnd(ctx, func(context.Context) {}) {
			t.Error("what has ended is not waited for")
		}
	})
}

// TestMaintenanceCleansUp: what a killed encoder has left behind is gone a minute after
// the start.
func TestMaintenanceCleansUp(t *testing.T) {
	dir := spooltest.Folder(t)
	temp := filepath.Join(dir, "acme/2026/03/09/.one.mp3.1.tmp")
	testkit.WriteFile(t, temp, nil)
	d, err := recording.NewDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := os.Chtimes(temp, start, start.Add(-time.Second)); err != nil {
			t.Fatal(err)
		}
		logged := &testkit.Log{}
		New(Config{Dir: d, Log: slog.New(slog.NewTextHandler(logged, nil))}).cleanUp(t.Context())
		if spooltest.IsThere(temp) || time.Since(start) != recording.DerivedAge || logged.String() != "" {
			t.Errorf("%v after %v: %s", spooltest.IsThere(temp), time.Since(start), logged)
		}
	})
}

// TestMaintenanceKeepsIndex: in a Redis that is new, and in one that was emptied,
// the index is made without anybody asking.
func TestMaintenanceKeepsIndex(t *testing.T) {
	testkit.NoLeaks(t)
	redis := testkit.StartRedis(t)
	w := newWorkshop(t, redis.URL())
	w.Variety()
	client := goredis.NewClient(&goredis.Options{Addr: strings.TrimPrefix(redis.URL(), "redis://")})
	defer client.Close()
	for i := range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); w.keepIndex(ctx, 0) }()
		w.indexed("1", "1.part2", "2", "3", "4")
		w.logged.Await(t, i+1, "redis has no whole index")
		cancel()
		<-ended
		if err := client.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMaintenanceIndexesAtStart: of what a Tapedeck changed on the disk before it
// was killed, Redis may know nothing. The next one finds it, also beside others
// that have not begun anew, and once a day.
func TestMaintenanceIndexesAtStart(t *testing.T) {
	testkit.NoLeaks(t)
	w := newWorkshop(t, testkit.StartRedis(t).URL())
	w.Variety()
	before := time.Now()
	w.Maintenance.reindex(t.Context())
	w.indexed("1", "1.part2", "2", "3", "4")

	w.Put(spooltest.SampleCall(spooltest.IDs+"5", spooltest.Began.AddDate(0, 0, 3)))
	purged := filepath.Join(w.Spool.Dir.String(), "acme/2026/03/09", spooltest.IDs+"2")
	for _, ext := range []string{".wav", ".json"} {
		if err := os.Remove(purged + ext); err != nil {
			t.Fatal(err)
		}
	}
	if now := time.Now(); w.indexDue(t.Context(), before, now) || !w.indexDue(t.Context(), before, now.Add(indexAge)) || !w.indexDue(t.Context(), now, now) {
		t.Error("the index is to be made anew once a day and by whoever starts")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.keepIndex(ctx, 0) }()
	w.indexed("1", "1.part2", "3", "4", "5")
	w.says(`msg="recordings indexed" recordings=5 removed=1`)
	cancel()
	<-ended

	busy := func(yield func(index.Recording, error) bool) {
		if w.indexDue(t.Context(), time.Now(), time.Now()) {
			t.Error("two make the index at once")
		}
	}
	if _, _, err := w.recordings.Reindex(t.Context(), busy); err != nil {
		t.Fatal(err)
	}
}

// TestGently: half of the time is left to others.
func TestGently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, n := time.Now(), 0
		all := func(yield func(index.Recording, error) bool) {
			for range 1000 {
				if time.Sleep(time.Millisecond); !yield(index.Recording{}, nil) {
					return
				}
			}
		}
		for range gently(t.Context(), all) {
			n++
		}
		if took := time.Since(start); n != 1000 || took != 2*time.Second {
			t.Errorf("%d in %s", n, took)
		}
	})
}
