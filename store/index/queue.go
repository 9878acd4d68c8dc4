package index

import (
	"container/list"
	"encoding/json"
	"sync"

	"tapedeck/store"
)

// Limits of what is kept for the index while Redis is away.
const (
	maxQueued        = 100_000
	maxSize          = 1 << 16 // bytes of one in JSON
	recordingsAtOnce = 32      // in one pipeline
)

// edit is one change of the index.
type edit struct {
	id      store.ID // its organisation and the recording's id
	members []member // in the index
	body    []byte   // JSON; nil: it was deleted
	swept   bool     // Reindex has not found its file
	since   int64    // the argument of changeRecording
	place   *list.Element

	// Set by the writer.
	seen    int64    // the stamp that Redis had
	old     []member // those that Redis had
	written int      // what changeRecording returned
	err     error
}

// queue holds the changes of the index that are not in Redis yet: the latest
// change of each recording, in the order in which they were queued. Its methods
// never block.
type queue struct {
	mu      sync.Mutex
	limit   int
	latest  map[store.ID]*edit
	order   list.List // of *edit
	taken   int       // how many are being written
	dropped uint64
	reason  string // why the last one was dropped
}

func (q *queue) save(r Recording) {
	change, reason := newEdit(r)
	q.mu.Lock()
	defer q.mu.Unlock()
	if reason != "" {
		q.drop(reason)
		return
	}
	q.put(change)
}

// newEdit makes the change that saves a recording, or says why the recording
// cannot be saved.
func newEdit(r Recording) (change *edit, unfit string) {
	change = &edit{id: idOf(r.Organisation, r.ID), members: membersOf(&r)}
	if reason := change.id.Unfit(); reason != "" {
		return nil, reason
	}
	var err error
	if change.body, err = json.Marshal(r); err != nil {
		return nil, err.Error()
	}
	if len(change.body) > maxSize {
		return nil, "too large"
	}
	return change, ""
}

func (q *queue) delete(id store.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if reason := id.Unfit(); reason != "" {
		q.drop(reason)
		return
	}
	q.put(&edit{id: id})
}

// put queues a change. It replaces one of the same recording that waits.
func (q *queue) put(change *edit) {
	if q.latest == nil {
		q.latest = map[store.ID]*edit{}
	}
	if old := q.latest[change.id]; old != nil && old.place != nil {
		q.order.Remove(old.place)
		old.place = nil
	}
	q.latest[change.id] = change
	change.place = q.order.PushBack(change)
	for q.order.Len() > q.limit {
		oldest := q.order.Remove(q.order.Front()).(*edit)
		oldest.place = nil
		delete(q.latest, oldest.id)
		q.drop("too many while redis was away")
	}
}

func (q *queue) drop(reason string) {
	q.dropped++
	q.reason = reason
}

// take takes the next changes to be written; settle has to be called with them
// afterwards. Only one batch may be out at a time.
func (q *queue) take(n int) []*edit {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch := make([]*edit, 0, min(n, q.order.Len()))
	for len(batch) < n && q.order.Len() > 0 {
		change := q.order.Remove(q.order.Front()).(*edit)
		change.place, change.err = nil, nil
		batch = append(batch, change)
	}
	q.taken = len(batch)
	return batch
}

// settle takes back the changes that take gave. What could not be written goes to
// the front again, unless there is a newer change of the recording.
func (q *queue) settle(batch []*edit) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken = 0
	for i := len(batch) - 1; i >= 0; i-- {
		change := batch[i]
		switch {
		case q.latest[change.id] != change: // a newer one waits
		case change.err == nil:
			delete(q.latest, change.id)
		case store.WrongType(change.err):
			q.drop(change.err.Error())
			delete(q.latest, change.id)
		default:
			change.place = q.order.PushFront(change)
		}
	}
}

// length counts the changes that are not known to be in Redis.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.order.Len() + q.taken
}

func (q *queue) droppedSoFar() (n uint64, reason string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped, q.reason
}
