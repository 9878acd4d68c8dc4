package calls

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"tapedeck/store"
)

// orphanWatch looks for instances that have died and for their calls. It belongs to
// one goroutine.
type orphanWatch struct {
	s         *Store
	absent    map[string]time.Time // instances without a sign of life, and since when that is known
	strangers map[string]bool      // owners of calls that are not among the known instances
	answered  time.Time            // when Redis last answered
	read      time.Time            // when the owners of calls were last read
}

func newOrphanWatch(s *Store) *orphanWatch {
	return &orphanWatch{s: s, absent: map[string]time.Time{}, strangers: map[string]bool{}}
}

// run looks until ctx ends.
func (w *orphanWatch) run(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		pause.Reset(w.look(ctx))
	}
}

// look looks once and returns how long to wait before the next look, which is due
// at the latest when a grace ends.
func (w *orphanWatch) look(ctx context.Context) (wait time.Duration) {
	begin := time.Now()
	known, beats, err := w.beats(ctx)
	if err != nil { // one late answer does not mean that Redis was away
		return w.s.lease.times.beatEvery
	}
	if begin.Sub(w.answered) > w.s.lease.times.grace || time.Since(begin) > w.s.lease.times.grace/2 {
		// Redis or this process was not there for a while: no sign of life could be seen.
		w.restart()
	}
	w.answered = time.Now()
	dead := w.note(begin, beats)
	every := w.s.lease.times.strangersEvery
	if len(dead) > 0 {
		every = min(every, w.s.lease.times.tellEvery)
	}
	if begin.Sub(w.read) >= every {
		w.tell(ctx, known, dead)
	}
	wait = w.s.lease.times.beatEvery
	for _, since := range w.absent {
		if left := since.Add(w.s.lease.times.grace).Sub(begin); left > 0 {
			wait = min(wait, max(left-time.Since(begin), time.Millisecond))
		}
	}
	return wait
}

// restart begins the grace again for all instances that were not known to be dead
// when Redis last answered.
func (w *orphanWatch) restart() {
	maps.DeleteFunc(w.absent, func(_ string, since time.Time) bool {
		return w.answered.Sub(since) < w.s.lease.times.grace
	})
}

// beats reads which instances are known, and which of these and of the strangers
// give signs of life.
func (w *orphanWatch) beats(ctx context.Context) (known []string, beats map[string]bool, err error) {
	s := w.s
	err = s.conn.Try(ctx, "beats_read", s.conn.Timeout(), func(ctx context.Context) error {
		if known, err = s.conn.Client().SMembers(ctx, instancesKey).Result(); err != nil {
			return err
		}
		all := maps.Clone(w.strangers)
		for _, k := range known {
			all[k] = true
		}
		delete(all, s.conn.Instance())
		beats = make(map[string]bool, len(all))
		names := slices.Collect(maps.Keys(all))
		there := make([]*redis.IntCmd, len(names))
		if len(names) == 0 {
			return nil
		}
		_, err := s.conn.Client().Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for i, name := range names {
				there[i] = pipe.Exists(ctx, beatKey(name))
			}
			return nil
		})
		for i, name := range names {
			beats[name] = there[i].Val() == 1
		}
		return err
	})
	return known, beats, err
}

// note brings absent up to date and returns which instances are dead.
func (w *orphanWatch) note(begin time.Time, beats map[string]bool) (dead map[string]bool) {
	dead = map[string]bool{}
	maps.DeleteFunc(w.absent, func(name string, _ time.Time) bool { alive, watched := beats[name]; return alive || !watched })
	for name, alive := range beats {
		since, absent := w.absent[name]
		switch {
		case alive:
		case !absent:
			w.absent[name] = time.Now()
		case begin.Sub(since) >= w.s.lease.times.grace:
			dead[name] = true
		}
	}
	return dead
}

// tell reads who owns the live calls, reports the calls of dead instances to the
// Follower, and removes dead instances that have no calls from the set of known
// ones.
func (w *orphanWatch) tell(ctx context.Context, known []string, dead map[string]bool) {
	s := w.s
	var orphans []Call
	var forged []store.ID
	burdened := map[string]bool{} // instances that have calls
	err := s.conn.Try(ctx, "calls_read", s.conn.BulkTimeout(), func(ctx context.Context) error {
		ids, err := s.callIDs(ctx)
		if err != nil {
			return err
		}
		owners, err := s.owners(ctx, ids)
		if err != nil {
			return err
		}
		for _, owner := range owners {
			burdened[owner] = true
		}
		ids = slices.DeleteFunc(ids, func(id store.ID) bool { return !dead[owners[id]] })
		if orphans, forged, err = s.readCalls(ctx, ids); err != nil {
			return err
		}
		return s.forgetInstances(ctx, known, dead, burdened)
	})
	if err != nil {
		return
	}
	w.read = time.Now()
	w.strangers = burdened
	delete(w.strangers, s.conn.Instance())
	for _, k := range known {
		delete(w.strangers, k)
	}
	// The others were claimed between the two readings.
	orphans = slices.DeleteFunc(orphans, func(c Call) bool { return !dead[c.Owner] })
	unproved := s.disbelieved(forged)
	if len(orphans)+len(unproved) > 0 {
		s.follower.Orphans(orphans, unproved)
	}
}

// forgetInstances removes dead instances that have no calls from the set of known
// ones. An instance that lives after all adds itself again with its next sign of
// life.
func (s *Store) forgetInstances(ctx context.Context, known []string, dead, burdened map[string]bool) error {
	var gone []any
	for _, k := range known {
		if dead[k] && !burdened[k] {
			gone = append(gone, k)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return s.conn.Client().SRem(ctx, instancesKey, gone...).Err()
}
