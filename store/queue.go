package store

import (
	"container/list"
	"errors"
	"slices"
	"sync"
	"unicode/utf8"

	"tapedeck/flow"
)

// Limits of what is kept for calls. A live call takes about 1 KB here, so the
// queue never holds much more than 16 MB, and a hostile one 64 times as much.
const (
	maxCalls    = 1 << 14
	maxCallSize = 1 << 16 // bytes of a call's texts
	callsAtOnce = 128     // in one pipeline
)

// callID names a call.
type callID struct{ organisation, id string }

// entry is what the queue knows of one call: its latest state, and whether
// Redis may have an older one.
type entry struct {
	id    callID
	call  LiveCall
	ended bool
	sent  bool          // Redis may know the call
	place *list.Element // in queue.order; nil: nothing to write, or being written
}

// queue holds the latest state of every live call of this Tapedeck, those that
// are not yet in Redis in the order in which they came. Its methods never block.
type queue struct {
	mu      sync.Mutex
	limit   int
	entries map[callID]*entry
	order   list.List // of *entry
	taken   []*entry  // being written
	dropped uint64
	reason  string // why the last one was dropped
}

// sending is one state that is being written.
type sending struct {
	entry *entry
	call  LiveCall
	ended bool
	err   error // set by the writer
}

func (q *queue) save(c LiveCall) {
	id := callID{c.Organisation, c.ID}
	reason := unfit(c)
	c.Version = callVersion
	c.Chain, c.Users = slices.Clone(c.Chain), slices.Clone(c.Users)
	q.mu.Lock()
	defer q.mu.Unlock()
	if reason != "" {
		q.drop(reason)
		return
	}
	if e := q.entry(id); e != nil {
		e.call, e.ended = c, false
		q.enqueue(e)
	}
}

func (q *queue) end(id callID) {
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
	e.call, e.ended = LiveCall{}, true
	if !e.sent {
		q.forget(e)
		return
	}
	q.enqueue(e)
}

// entry finds or makes the entry of a call; nil when there is no room.
func (q *queue) entry(id callID) *entry {
	if e := q.entries[id]; e != nil {
		return e
	}
	if reason := id.unfit(); reason != "" {
		q.drop(reason)
		return nil
	}
	if len(q.entries) >= q.limit {
		q.drop("too many calls")
		return nil
	}
	if q.entries == nil {
		q.entries = map[callID]*entry{}
	}
	e := &entry{id: id}
	q.entries[id] = e
	return e
}

func (q *queue) enqueue(e *entry) {
	if e.place == nil {
		e.place = q.order.PushBack(e)
	}
}

func (q *queue) forget(e *entry) {
	if e.place != nil {
		q.order.Remove(e.place)
		e.place = nil
	}
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
		batch = append(batch, sending{entry: e, call: e.call, ended: e.ended})
	}
	return batch
}

// settle takes back what was taken: what could not be written goes to the front
// again, unless a newer state is queued.
func (q *queue) settle(batch []sending) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken = nil
	for _, item := range slices.Backward(batch) {
		e := item.entry
		switch {
		case e.place != nil: // a newer state waits
		case item.err != nil && !errors.Is(item.err, errUnwritable):
			e.place = q.order.PushFront(e)
		case item.err != nil:
			q.drop(item.err.Error())
			q.forget(e)
		case item.ended:
			q.forget(e)
		}
	}
}

// again queues every call that is not queued. Whoever ended a call of this
// Tapedeck meanwhile is overruled: a call has one owner.
func (q *queue) again() {
	q.mu.Lock()
	defer q.mu.Unlock()
	var idle []*entry
	for _, e := range q.entries {
		if e.place == nil {
			idle = append(idle, e)
		}
	}
	slices.SortFunc(idle, func(a, b *entry) int { return a.call.Started.Compare(b.call.Started) })
	for _, e := range idle {
		q.enqueue(e)
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

// unfit says why a call cannot have this name; empty if it can.
func (id callID) unfit() string {
	switch {
	case id.organisation == "" || id.id == "":
		return "no id"
	case !utf8.ValidString(id.organisation) || !utf8.ValidString(id.id):
		return "id is not UTF-8"
	case len(id.organisation)+len(id.id) > maxCallSize:
		return "id is too large"
	}
	return ""
}

// unfit says why a state cannot be kept; empty if it can.
func unfit(c LiveCall) string {
	if reason := (callID{c.Organisation, c.ID}).unfit(); reason != "" {
		return reason
	}
	size := len(c.Organisation) + len(c.ID) + len(c.Switch) + len(c.Leg) + len(c.Anchor) + len(c.File) + len(c.State)
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
