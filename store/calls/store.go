// Package calls keeps in Redis what another Tapedeck, or this one after a restart,
// needs to follow a live call further, and says to which instance each call belongs.
//
// An instance owns a call while its lease lasts: its sign of life in Redis. The
// calls of an instance whose lease has run out are orphans; any other may claim
// them. Every owner of a call has a higher token than the one before, and a write
// with a lower token is refused, so an instance that has stood still cannot write
// over what its successor has written.
//
// The state of a call survives a crash of Tapedeck once it is in Redis, which is
// usually within milliseconds. If Redis loses it, its owner writes it again.
//
// An entry that no Tapedeck with our key has written counts as if it were not there
// (store.Seal): it is not read, and does not refuse a write.
package calls

import (
	"context"
	"sync"
	"time"

	"tapedeck/internal/recent"
	"tapedeck/store"
)

// The keys: see store/keys.go.
const (
	organisationsKey = "tapedeck:{calls}:organisations"
	changedChannel   = "tapedeck:{calls}:changed"
	instancesKey     = "tapedeck:{instances}:known"
)

func callKey(organisation, id string) string {
	return store.Key(organisation, "live:"+store.Escape(id))
}

func callsKey(organisation string) string { return store.Key(organisation, "live") }

func beatKey(instance string) string { return "tapedeck:{instances}:beat:" + store.Escape(instance) }

func pulseKey(instance string) string { return "tapedeck:{instances}:pulse:" + store.Escape(instance) }

func idOf(organisation, id string) store.ID { return store.ID{Organisation: organisation, ID: id} }

const (
	// callTTL is how long a live call that nobody writes stays in Redis.
	callTTL = 48 * time.Hour
	// endedTTL is how long Redis knows that a call has ended.
	endedTTL = 10 * time.Minute
)

// Follower is told what happens to calls. The Conn's Run calls it.
type Follower interface {
	// Lost is told of a call of this instance whose state was not written,
	// because it belongs to another instance now or was ended by it. One call at
	// a time.
	Lost(organisation, id string)
	// Orphans is told of the live calls whose owner is dead, again each second
	// while there are some; unproved are calls that seem to be so, but whose entries are
	// not believed (store.ErrForged). It is called by a goroutine of its own, one call at a
	// time; it may call Claim.
	Orphans(orphans []Call, unproved []store.ID)
}

// Store is the live calls in Redis, and this instance's lease on its own. Its
// methods may be called by any number of goroutines.
type Store struct {
	conn     *store.Conn
	seal     *store.Seal
	follower Follower // nil: nobody looks for orphans

	queue      queue
	announced  announcements
	lease      lease
	introduced map[string]bool // organisations in organisationsKey; Run's own
	reported   uint64          // how many dropped states were logged; Run's own

	rewriting bool  // all calls are being written again; Run's own
	unsure    int64 // the doubt that this ends: lease.unsure as it was then; Run's own
}

// New adds the live calls to what a Conn does.
func New(conn *store.Conn) *Store {
	s := &Store{
		conn: conn, seal: conn.NewSeal("call"), introduced: map[string]bool{}, lease: lease{conn: conn, times: defaultTimes()},
		queue: queue{limit: maxCalls, owner: conn.Instance(), endedLately: recent.Map[store.ID, int64]{Limit: maxEnded, Keep: callTTL}},
	}
	conn.Add(store.Subject{
		Report: s.report, Rewrite: s.rewrite, Write: s.write, Unwritten: s.unwritten, Serve: s.serve, Leave: s.lease.leave,
	})
	return s
}

// Follow sets who is told what happens to calls. It has to be called before the
// Conn's Run.
func (s *Store) Follow(f Follower) { s.follower = f }

// Instance is the id of this process: the Owner of its calls.
func (s *Store) Instance() string { return s.conn.Instance() }

// Alone reports whether there can be no other instance on this Redis, because it
// is the embedded one: no call ever has another owner.
func (s *Store) Alone() bool { return s.conn.Alone() }

// Save queues the state of a call for Redis. It copies c, never blocks and never
// fails: the Conn's Run writes the latest state of each call, the calls in the order
// in which they changed, when Redis is there. What cannot be kept (no id, more
// than 64 KB, more than 16384 live calls) is dropped, counted and logged.
//
// A call that belongs to another instance is not written; see Follower.
func (s *Store) Save(c Call) {
	s.queue.save(c)
	s.conn.Wake()
}

// End takes a call out of Redis, in the way of Save.
func (s *Store) End(organisation, id string) {
	s.queue.end(idOf(organisation, id))
	s.conn.Wake()
}

// Queued is how many calls have a state that is not known to be in Redis.
func (s *Store) Queued() int { return s.queue.length() }

// report logs what was dropped since it was last called. Run calls it, so that no
// call ever waits for a log.
func (s *Store) report() {
	n, reason := s.queue.droppedSoFar()
	if n != s.reported {
		s.conn.Log().Error("states of calls dropped", "states", n-s.reported, "last_reason", reason)
		s.reported = n
	}
}

// unwritten logs what is still queued when Run ends.
func (s *Store) unwritten() {
	if n := s.queue.length(); n > 0 {
		s.conn.Log().Warn("states of calls not written to redis", "calls", n)
	}
}

// serve keeps the lease and looks for orphans until ctx ends.
func (s *Store) serve(ctx context.Context) {
	if s.conn.Alone() {
		return
	}
	var orphans sync.WaitGroup
	if s.follower != nil {
		orphans.Go(func() { newOrphanWatch(s).run(ctx) })
	}
	s.lease.keep(ctx)
	orphans.Wait()
}
