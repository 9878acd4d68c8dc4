package main

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"tapedeck/esl/esltest"
	"tapedeck/flow/flowtest"
	"tapedeck/metrics"
	"tapedeck/recording"
	"tapedeck/store"
	"tapedeck/store/index"
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
	*spool
	*maintenance
	logged *journal
	going  going
}

// going are the calls that FreeSWITCH has.
type going struct {
	calls map[string]bool
	err   error
}

func (g *going) Live(context.Context, []string) (map[string]bool, error) { return g.calls, g.err }

func newWorkshop(t *testing.T, redis string) *workshop {
	t.Helper()
	w := &workshop{spool: newSpool(t, keptForAMonth, ""), logged: newJournal()}
	log := slog.New(slog.NewTextHandler(w.logged, nil))
	s, err := store.Open(t.Context(), store.Config{Redis: redis, Timeout: patience, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	archive := recording.NewArchive(recording.ArchiveConfig{Dir: w.spool.dir, Log: log})
	w.maintenance = &maintenance{w.spool.dir, s, archive, &w.going, metrics.New(), log}
	parts := &daemon{store: s, failed: make(chan error, 1), log: log}
	parts.start("store", s.Run)
	parts.start("archive", archive.Run)
	t.Cleanup(parts.stop)
	if err := s.Apply(t.Context(), flowtest.Policy(t, keptForAMonth)); err != nil {
		t.Fatal(err)
	}
	return w
}

// indexed waits until exactly these are in the index.
func (w *workshop) indexed(want ...string) {
	w.Helper()
	var got []string
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		list, _, err := w.store.Recordings(w.Context(), index.Query{})
		if err != nil {
			w.Fatal(err)
		}
		got = got[:0]
		for _, r := range list {
			got = append(got, strings.TrimPrefix(r.ID, ids))
		}
		slices.Sort(got)
		if slices.Equal(got, want) {
			return
		}
		if time.Now().After(end) {
			w.Fatalf("in the index are %q, want %q; the log:\n%s", got, want, w.logged)
		}
	}
}

// says waits for a line in the log.
func (w *workshop) says(words ...string) {
	w.Helper()
	if _, err := w.logged.find(1, words...); err != nil {
		w.Error(err)
	}
}

// TestMaintenanceBegins: an index in the memory is made, a file without a call is
// described, and one that somebody may be writing is not.
func TestMaintenanceBegins(t *testing.T) {
	leakFree(t)
	w := newWorkshop(t, store.Embedded)
	w.variety()
	day := filepath.Join(w.spool.dir.String(), "acme/2026/03/09")
	w.age(w.file(filepath.Join(day, ids+"5.wav"), wav(1000, 3000)), time.Hour)
	fresh := w.file(filepath.Join(day, ids+"6.wav"), wav(1000, 3000))
	start := time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.begin(ctx, start) }()
	defer func() { cancel(); <-ended }()
	w.indexed("1", "1.part2", "2", "3", "4", "5")
	w.says("level=INFO", `msg="recordings indexed" recordings=5 removed=0`)
	w.says("level=WARN", "file without a call described", "recording="+ids+"5", "organisation=acme")
	if isThere(recording.SidecarPath(fresh)) {
		t.Error("a file that may be written to is described")
	}
	w.begin(t.Context(), time.Now().Add(time.Hour)) // then it is old
	w.indexed("1", "1.part2", "2", "3", "4", "5", "6")
}

// TestMaintenanceBeginsWithNothing: before the first recording there is no folder.
func TestMaintenanceBeginsWithNothing(t *testing.T) {
	leakFree(t)
	w := newWorkshop(t, store.Embedded)
	if err := os.Remove(w.spool.dir.String()); err != nil {
		t.Fatal(err)
	}
	w.begin(t.Context(), time.Now())
	w.daily(t.Context(), time.Now())
	if log := w.logged.String(); strings.Contains(log, "WARN") || strings.Contains(log, "ERROR") {
		t.Errorf("log:\n%s", log)
	}
}

// TestMaintenanceDaily: what is too old is deleted and out of the index; what a
// command line has done on the disk is in an index that it does not reach.
func TestMaintenanceDaily(t *testing.T) {
	indexes(t, func(t *testing.T, config string) {
		leakFree(t)
		w := newWorkshop(t, cmp.Or(between(config, "'", "'"), store.Embedded))
		paths := w.old()
		live := filepath.Join(w.spool.dir.String(), ".live", ids+"3.json")
		if err := recording.WriteSidecar(w.file(live, nil), agedCall("3", 0)); err != nil {
			t.Fatal(err)
		}
		w.maintenance.reindex(t.Context())
		w.indexed("1", "2", "3", "4", "5", "6")
		if !w.daily(t.Context(), time.Now()) {
			t.Error("not done")
		}
		w.indexed("2", "3", "4", "5", "6")
		w.says("level=INFO", `msg="recordings purged" deleted=1 bytes=64044 held=1 live=1`)
		if lines := w.audit(); len(lines) != 1 || !strings.Contains(lines[0], `"who":"tapedeck serve","what":"delete","organisation":"acme","recording":"`+ids+`1","from":"retention"`) {
			t.Errorf("audit file: %q", lines)
		}
		if isThere(paths["1"]) || !isThere(paths["2"]) || !isThere(paths["3"]) {
			t.Error("deleted is another one")
		}

		w.do("release", ids+"2", "--by", "paul").want(t, exitDone, "not held any more", "")
		w.do("purge", "--by", "paul").want(t, exitDone, "deleted "+ids+"2 of acme", "")
		w.daily(t.Context(), time.Now())
		if config == "" {
			w.indexed("3", "4", "5", "6")
		}
	})
}

// TestMaintenanceWithoutRedis: nothing is deleted while nobody knows what is live.
func TestMaintenanceWithoutRedis(t *testing.T) {
	leakFree(t)
	redis := newRedis(t).start()
	w := newWorkshop(t, redis.url())
	paths := w.old()
	_, _ = redis.cmd.Process.Kill(), redis.cmd.Wait()
	if w.daily(t.Context(), time.Now()) {
		t.Error("done")
	}
	w.says("level=WARN", "recordings not purged", "nothing is deleted while it is not known which calls are live")
	if !isThere(paths["1"]) {
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
		if untilEnd(ctx, func(context.Context) { <-disk }) || time.Since(start) != time.Minute+maintenanceGrace {
			t.Errorf("it ended after %v", time.Since(start))
		}
		close(disk)
		if !untilEnd(ctx, func(context.Context) {}) {
			t.Error("what has ended is not waited for")
		}
	})
}

// TestServeKnowsOldRecordings: what lay there when it started is in its index, and
// what it records is listed, shown and verified.
func TestServeKnowsOldRecordings(t *testing.T) {
	stores(t, func(t *testing.T, config string) {
		sw, line := clockedSwitch(t, "fs1", "ClueCon", esltest.RealTime)
		s := startServe(t, twoOrganisations, config+"switches:\n"+line)
		s.metric(`tapedeck_watch_up{switch="fs1"}`, "1")
		leg := s.recorded(sw)
		sw.Talk(time.Second)
		leg.Hangup("")
		s.metric(`tapedeck_recordings_total{result="complete"}`, "1")
		p := &spool{T: t, root: s.dir, config: filepath.Join(s.dir, "tapedeck.yaml")}
		id := strings.TrimSuffix(filepath.Base(leg.Get("tapedeck_file")), ".wav")
		s.until("it is in the list", func() bool { return strings.Contains(p.do("ls", "--number", "02079460001").stdout, "  "+id+"\n") })
		p.do("show", id).want(t, exitDone, "decided by    number/+442079460001 yes\n", "")
		p.do("verify").want(t, exitDone, "verified 1 recording, ", "")
		if config != "" {
			return
		}
		s.stop()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		again := newJournal()
		ended := make(chan int, 1)
		go func() { ended <- run(ctx, []string{"serve", "--config", p.config}, io.Discard, again) }()
		if _, err := again.find(1, `msg="recordings indexed" recordings=1`); err != nil {
			t.Error(err)
		}
		cancel()
		if code := <-ended; code != exitDone {
			t.Errorf("exit code %d; the log:\n%s", code, again)
		}
	})
}

// TestMaintenanceKeepsIndex: in a Redis that is new, and in one that was emptied,
// the index is made without anybody asking.
func TestMaintenanceKeepsIndex(t *testing.T) {
	leakFree(t)
	redis := newRedis(t).start()
	w := newWorkshop(t, redis.url())
	w.variety()
	client := goredis.NewClient(&goredis.Options{Addr: strings.TrimPrefix(redis.url(), "redis://")})
	defer client.Close()
	for i := range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); w.keepIndex(ctx, 0) }()
		w.indexed("1", "1.part2", "2", "3", "4")
		if _, err := w.logged.find(i+1, "redis has no whole index"); err != nil {
			t.Error(err)
		}
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
	leakFree(t)
	w := newWorkshop(t, newRedis(t).start().url())
	w.variety()
	before := time.Now()
	w.maintenance.reindex(t.Context())
	w.indexed("1", "1.part2", "2", "3", "4")

	w.put(sampleCall(ids+"5", began.AddDate(0, 0, 3)))
	purged := filepath.Join(w.spool.dir.String(), "acme/2026/03/09", ids+"2")
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
	if _, _, err := w.store.Reindex(t.Context(), busy); err != nil {
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
