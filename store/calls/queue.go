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

// Limits of what is kept for calls. A live call takes some KB here.
const (
	maxCalls     = 1 << 14
	maxCallSize  = 1 << 16 // bytes of a call's texts
	maxDraftSize = 1 << 18 // bytes of its draft
	maxOver      = 100_000 // calls that have ended, of which we know that
	callsAtOnce  = 64      // in one pipeline; the embedded server takes 0.2 ms for a script
)

// entry is what the queue knows of one call: its latest state, and whether
// Redis may have an older one.
type entry struct {
	id    store.ID
	call  Call
	token int64 // of the owner that we are; 0: of whatever one
	raise bool  // token is new: it counts if Redis knows no other owner
	ended bool
	sent  bool          // Redis may know the call
	place *list.Element // in queue.order; nil: nothing to write, or being written
}

// queue holds the latest state of every live call of this Tapedeck, those that
// are not yet in Redis in the order in which they came. Its methods never block.
type queue struct {
	mu      sync.Mutex
	owner   string
	limit   int
	entries map[store.ID]*entry
	over    recent.Map[store.ID, int64] // what has ended here lately, and our token
	order   list.List                   // of *entry
	taken   []*entry                    // being written
	dropped uint64
	reason  string // why the last one was dropped
}

// sending is one state that is being written.
type sending struct {
	entry   *entry
	call    Call
	token   int64
	raise   bool
	ended   bool
	err     error // set by the writer
	refused bool  // set by the writer: the call is another's
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

// claimed notes a call that Redis says is ours now. What is queued of it from
// when it was ours before does not count any more.
func (q *queue) claimed(c Call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e := q.entry(idOf(c.Organisation, c.ID)); e != nil {
		e.call, e.token, e.raise, e.ended, e.sent = c, c.Token, false, false, true
		q.withdraw(e)
	}
}

func (q *queue) end(id store.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e, known := q.entries[id]
	if !known {
		// A call of a Tapedeck before this one: Redis may know it.
		if e = q.entry(id); e == nil {
			return
		}
		e.sent = true
	}
	e.call, e.ended = Call{}, true
	if e.raise {
		e.token, e.raise = 0, false // whatever Redis has of us: the new one may not be there
	}
	if !e.sent {
		q.forget(e)
		return
	}
	q.enqueue(e)
}

// entry finds or makes the entry of a call; nil when there is no room.
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
	q.over.Forget(id)
	return e
}

func (q *queue) enqueue(e *entry) {
	if e.place == nil {
		e.place = q.order.PushBack(e)
	}
}

func (q *queue) withdraw(e *entry) {
	if e.place != nil {
		q.order.Remove(e.place)
		e.place = nil
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

// take takes the next states to be written; settle takes them back. Only one
// batch may be out at a time.
func (q *queue) take(n int) []sending {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch := make([]sending, 0, min(n, q.order.Len()))
	for len(batch) < n && q.order.Len() > 0 {
		e := q.order.Remove(q.order.Front()).(*entry)
		e.place, e.sent = nil, true
		q.taken = append(q.taken, e)
		batch = append(batch, sending{entry: e, call: e.call, token: e.token, raise: e.raise, ended: e.ended})
	}
	return batch
}

// settle takes back what was taken: what could not be written goes to the front
// again, unless a newer state is queued. It forgets the calls that are another's
// and says which, unless they were claimed meanwhile.
func (q *queue) settle(batch []sending) (lost []store.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken = nil
	for _, item := range slices.Backward(batch) {
		e := item.entry
		if item.err == nil && !item.refused && e.token == item.token {
			e.raise = false
		}
		switch {
		case item.refused:
			if e.token <= item.token {
				q.forget(e)
				lost = append(lost, e.id)
			}
		case e.place != nil: // a newer state waits
		case item.err != nil && !errors.Is(item.err, errUnwritable):
			e.place = q.order.PushFront(e)
		case item.err != nil:
			q.drop(item.err.Error())
			q.forget(e)
		case item.ended && e.ended:
			q.forget(e)
			q.over.Put(e.id, item.token)
		}
	}
	slices.Reverse(lost)
	return lost
}

// again queues every call that is not queued. With raise, each gets a new token,
// with which what another instance is about to claim is no longer what it saw;
// not two at once, or it could be higher than that of an instance that has claimed
// it. Nothing may be taken meanwhile.
func (q *queue) again(raise bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var idle []*entry
	for _, e := range q.entries {
		if raise && !e.ended && !e.raise {
			e.token++
			e.call.Token, e.raise = e.token, true
		}
		if e.place == nil {
			idle = append(idle, e)
		}
	}
	slices.SortFunc(idle, func(a, b *entry) int { return a.call.Started.Compare(b.call.Started) })
	for _, e := range idle {
		q.enqueue(e)
	}
}

// endAgain queues the end of those calls that have ended here lately.
func (q *queue) endAgain(ids []store.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, id := range ids {
		token, over := q.over.Get(id)
		if !over {
			continue
		}
		if e := q.entry(id); e != nil {
			e.token, e.ended, e.sent = token, true, true
			q.enqueue(e)
		}
	}
}

// queued counts the calls whose latest state is not known to be in Redis.
func (q *queue) queued() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.order.Len()
	for _, e := range q.taken {
		if e.place == nil {
			n++
		}
	}
	return n
}

func (q *queue) lost() (n uint64, reason string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped, q.reason
}

// errUnwritable: it would fail again, however often it is tried.
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
