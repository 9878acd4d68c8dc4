// Package maintenance looks after recordings that no live call is about: it makes the
// index in Redis from the sidecars, describes files that were left without a
// description, deletes what is older than its organisation keeps it, and makes the
// folders of months before they are needed.
package maintenance

import (
	"context"
	"iter"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/recording/audit"
	"tapedeck/store/calls"
	"tapedeck/store/index"
)

// Config is what maintenance works on.
type Config struct {
	Dir     recording.Dir
	Policy  func() *flow.Policy // the policy in force; never nil
	Index   Index
	Live    LiveLister
	Alone   bool // no other instance uses the Redis
	Archive *recording.Archive
	Audit   *audit.Log
	Calls   Calls
	Meter   Meter
	Log     *slog.Logger
}

// Index is the index of recordings (store/index). Save and Delete do not block.
type Index interface {
	Save(index.Recording)
	Delete(organisation, id string)
	Reindex(ctx context.Context, all iter.Seq2[index.Recording, error]) (kept, removed int, err error)
	WholeSince(context.Context) (time.Time, error)
	BeingMade(context.Context) (bool, error)
}

// LiveLister lists the live calls of all instances (store/calls).
type LiveLister interface {
	List(context.Context) ([]calls.Call, error)
}

// Calls knows which calls FreeSWITCH has.
type Calls interface {
	// Live reports which of the calls, by id, some FreeSWITCH has. The error says that
	// one cannot be asked.
	Live(ctx context.Context, calls []string) (map[string]bool, error)
}

// Meter counts. Its methods must not block.
type Meter interface {
	Recording(result string) // a file was described: complete or problem
	Problem(problem string)  // a problem of a recording was written down
	Purged(recordings int)   // so many were deleted because their time was over
}

// Maintenance is the background work on recordings. One goroutine runs it.
type Maintenance struct {
	dir     recording.Dir
	policy  func() *flow.Policy
	index   Index
	live    LiveLister
	alone   bool
	archive *recording.Archive
	audit   *audit.Log
	calls   Calls
	meter   Meter
	log     *slog.Logger
}

// New makes a Maintenance that does nothing until Run.
func New(c Config) *Maintenance {
	return &Maintenance{dir: c.Dir, policy: c.Policy, index: c.Index, live: c.Live, alone: c.Alone, archive: c.Archive, audit: c.Audit, calls: c.Calls, meter: c.Meter, log: c.Log}
}

const (
	// grace is how long Run waits at its end for work that a slow disk holds.
	grace = 500 * time.Millisecond
	// describePatience is how long the description of one file may take.
	describePatience = time.Minute
)

// Run works until ctx ends, and returns nil. If the disk hangs then, it leaves a
// goroutine behind.
func (m *Maintenance) Run(ctx context.Context) error {
	ended := untilEnd(ctx, func(ctx context.Context) {
		var beside sync.WaitGroup
		defer beside.Wait()
		beside.Go(func() { m.keepMonths(ctx) })
		beside.Go(func() { m.cleanUp(ctx) })
		if !m.alone {
			beside.Go(func() { m.keepIndex(ctx, rand.N(indexEvery)) })
		}
		m.atStart(ctx, time.Now())
		everyDay(ctx, time.Hour+rand.N[time.Duration](60)*time.Minute, m.daily)
	})
	if !ended {
		m.log.Warn("maintenance of recordings waits for the disk: it is left alone")
	}
	return nil
}

// untilEnd runs work in a goroutine until ctx ends, and reports whether the work ended
// within grace after that. A disk that hangs holds the goroutine longer.
func untilEnd(ctx context.Context, work func(context.Context)) bool {
	ended := make(chan struct{})
	go func() { defer close(ended); work(ctx) }()
	<-ctx.Done()
	select {
	case <-ended:
		return true
	case <-time.After(grace):
		return false
	}
}

// everyDay calls do after a first wait, and then again after a day, or after an hour if do
// returned false.
func everyDay(ctx context.Context, first time.Duration, do func(context.Context, time.Time) bool) {
	for wait := first; ; {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		wait = time.Hour
		if do(ctx, time.Now()) {
			wait = 24 * time.Hour
		}
	}
}

// atStart does what is due when the process starts.
func (m *Maintenance) atStart(ctx context.Context, now time.Time) {
	if m.alone {
		m.reindex(ctx)
	}
	m.describeAll(ctx, now)
	m.describeRecent(ctx, now)
}

// daily does what is due once a day, and reports whether everything succeeded.
func (m *Maintenance) daily(ctx context.Context, now time.Time) bool {
	purged := m.purge(ctx, now)
	described := m.describeAll(ctx, now)
	if m.alone { // commands change sidecars but do not reach this index; another Redis has keepIndex
		m.reindex(ctx)
	}
	return purged && described
}
