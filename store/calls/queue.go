package calls

import (
	"container/list"
	"errors"
	"slices"
	"sync"

	"tapedeck/flow"
	"tapedeck/internal/recent"
	"tapedeck/store"
)

// Limits of the queue. A live call takes some KB of memory.
const (
	maxCalls     = 1 << 14
	maxCallSize  = 1 << 16 // bytes of a call's texts
	maxDraftSize = 1 << 18 // bytes of its draft
	maxEnded     = 100_000 // calls of which the queue knows that they have ended
	callsAtOnce  = 64      // in one pipeline; the embedded server takes 0.2 ms for a script
)

// entry is what the queue knows of one call: its latest state, and whether Redis
// may have an older one.
type entry struct {
	id       store.ID
	call     Call
	token    int64 // our token as the owner; 0: whichever Redis has of us
	newToken bool  // token is new: the write counts if Redis still has the one before it
	ended    bool
	inRedis  bool          // Redis may know the call
	queued   *list.Element // the place in queue.order; nil: nothing is to be written, or it is being written
}

// queue holds the latest state of every live call of this Tapedeck, and the order
// in which those were queued that are not in Redis yet. Its methods never block.
type queue struct {
	mu          sync.Mutex
	owner       string
	limit       int
	entries     map[store.ID]*entry
	endedLately recent.Map[store.ID, int64] // calls that ended here, and the token that we had
	order       list.List                   // of *entry
	taken       []*entry                    // being written
	dropped     uint64
	reason      string // why the last one was dropped
}

// stateWrite is one state that is being written.
type stateWrite struct {
	entry    *entry
	call     Call
	token    int64
	newToken bool
	ended    bool
	err      error // set by the writer
	refused  bool  // set by the writer: the call belongs to another instance
}

func (q *queue) save(c Call) {
	id := idOf(c.Organisation, c.ID)
	reason := unfit(c)
	c.Version, c.Owner = Version, q.owner
	c.Chain, c.Users = slices.Clone(c.Chain), slices.Clone(c.Users)
	large := len(c.Draft) > maxDraftSize
	if large {
		c.Draft = nil
	}
	c.Draft = slices.Clone(c.Draft)
	q.mu.Lock()
	defer q.mu.Unlock()
	if large {
		q.drop("a draft is too large; the call is kept without it")
	}
	if reason != "" {
		q.drop(reason)
		return
	}
	e := q.entry(id)
	if e == nil {
		return
	}
	c.Token = max(c.Token, e.token, 1)
	e.call, e.token, e.ended = c, c.Token, false
	q.enqueue(e)
}

// claimed notes that Redis says that a call is ours now. An older state of it that
// is still queued, from a time when it was ours before, is withdrawn.
func (q *queue) claimed(c Call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e := q.entry(idOf(c.Organisation, c.ID)); e != nil {
		e.call, e.token, e.newToken, e.ended, e.inRedis = c, c.Token, false, false, true
		q.withdraw(e)
	}
}

func (q *queue) end(id store.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e, known := q.entries[id]
	if !known {
		// Redis may know it from a Tapedeck that ran before this one.
		if e = q.entry(id); e == nil {
			return
		}
		e.inRedis = true
	}
	e.call, e.ended = Call{}, true
	if e.newToken {
		e.token, e.newToken = 0, false // Redis may not have the new token: any token of ours counts
	}
	if !e.inRedis {
		q.forget(e)
		return
	}
	q.enqueue(e)
}

// entry finds or makes the entry of a call. It returns nil if there is no room.
func (q *queue) entry(id store.ID) *entry {
	if e := q.entries[id]; e != nil {
		return e
	}
	if reason := id.Unfit(); reason != "" {
		q.drop(reason)
		return nil
	}
	if len(q.entries) >= q.limit {
		q.drop("too many calls")
		return nil
	}
	if q.entries == nil {
		q.entries = map[store.ID]*entry{}
	}
	e := &entry{id: id}
	q.entries[id] = e
	q.endedLately.Forget(id)
	return e
}

func (q *queue) enqueue(e *entry) {
	if e.queued == nil {
		e.queued = q.order.PushBack(e)
	}
}

func (q *queue) withdraw(e *entry) {
	if e.queued != nil {
		q.order.Remove(e.queued)
		e.queued = nil
	}
}

func (q *queue) forget(e *entry) {
	q.withdraw(e)
	delete(q.entries, e.id)
}

func (q *queue) drop(reason string) {
	q.dropped++
	q.reason = reason
}

// take takes the next states to be written; settle has to be called with them
// afterwards. Only one batch may be out at a time.
func (q *queue) take(n int) []stateWrite {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch := make([]stateWrite, 0, min(n, q.order.Len()))
	for len(batch) < n && q.order.Len() > 0 {
		e := q.order.Remove(q.order.Front()).(*entry)
		e.queued, e.inRedis = nil, true
		q.taken = append(q.taken, e)
		batch = append(batch, stateWrite{entry: e, call: e.call, token: e.token, newToken: e.newToken, ended: e.ended})
	}
	return batch
}

// settle takes back the states that take gave. What could not be written goes to
// the front again, unless a newer state is queued. Calls that belong to another
// instance are forgotten and returned, unless this instance has claimed them
// meanwhile.
func (q *queue) settle(batch []stateWrite) (lost []store.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken = nil
	for _, item := range slices.Backward(batch) {
		e := item.entry
		if item.err == nil && !item.refused && e.token == item.token {
			e.newToken = false
		}
		switch {
		case item.refused:
			if e.token <= item.token {
				q.forget(e)
				lost = append(lost, e.id)
			}
		case e.queued != nil: // a newer state waits
		case item.err != nil && !errors.Is(item.err, errUnwritable):
			e.queued = q.order.PushFront(e)
		case item.err != nil:
			q.drop(item.err.Error())
			q.forget(e)
		case item.ended && e.ended:
			q.forget(e)
			q.endedLately.Put(e.id, item.token)
		}
	}
	slices.Reverse(lost)
	return lost
}

// requeueAll queues every call that is not queued. With newToken each call gets a
// new token, so that a claim that another instance has begun fails: it has seen the
// old token. A call whose new token is not in Redis yet gets no second
// one, because it could then be higher than the token of an instance that has
// claimed the call. No batch may be out.
func (q *queue) requeueAll(newToken bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var idle []*entry
	for _, e := range q.entries {
		if newToken && !e.ended && !e.newToken {
			e.token++
			e.call.Token, e.newToken = e.token, true
		}
		if e.queued == nil {
			idle = append(idle, e)
		}
	}
	slices.SortFunc(idle, func(a, b *entry) int { return a.call.Started.Compare(b.call.Started) })
	for _, e := range idle {
		q.enqueue(e)
	}
}

// requeue queues a call of this instance again, and reports false if it is not ours.
func (q *queue) requeue(id store.ID) (ours bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.entries[id]
	if e == nil {
		return false
	}
	q.enqueue(e)
	return true
}

// requeueEnds queues the end of those of the calls that have ended here lately.
func (q *queue) requeueEnds(ids []store.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, id := range ids {
		token, ended := q.endedLately.Get(id)
		if !ended {
			continue
		}
		if e := q.entry(id); e != nil {
			e.token, e.ended, e.inRedis = token, true, true
			q.enqueue(e)
		}
	}
}

// length counts the calls whose latest state is not known to be in Redis.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.order.Len()
	for _, e := range q.taken {
		if e.queued == nil {
			n++
		}
	}
	return n
}

func (q *queue) droppedSoFar() (n uint64, reason string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped, q.reason
}

// errUnwritable: writing it would fail again, however often it is tried.
var errUnwritable = errors.New("cannot be written")

// unfit says why a state cannot be kept; empty if it can.
func unfit(c Call) string {
	if reason := idOf(c.Organisation, c.ID).Unfit(); reason != "" {
		return reason
	}
	size := len(c.Organisation) + len(c.ID) + len(c.Switch) + len(c.Leg) + len(c.Anchor) + len(c.File) + len(c.State) + len(c.Snapshot)
	for _, u := range c.Users {
		size += 16 + len(u)
	}
	for _, step := range c.Chain {
		size += 40 + sizeOf(step.Element)
	}
	if size > maxCallSize {
		return "too large"
	}
	return ""
}

func sizeOf(e flow.Element) int { return len(e.Kind) + len(e.ID) }
