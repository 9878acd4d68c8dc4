// Package index keeps an index of all recordings in Redis, so that a page of them
// is found without reading the others. The sidecar beside each file is the truth;
// Reindex makes the index again from the sidecars. Each recording has a seal, because who
// may hear it is found in the index.
//
// A crash of Tapedeck loses what was saved and is not in Redis yet; the next
// Reindex has it. When Redis loses data, the index does not count as whole until
// the next Reindex.
package index

import (
	"context"
	"errors"

	"tapedeck/store"
)

// The keys: see store/keys.go.
const (
	recordersKey = "tapedeck:{recordings}:organisations"
	indexedKey   = "tapedeck:{recordings}:indexed:2"
	indexingKey  = "tapedeck:{recordings}:indexing"
)

func recordingKey(organisation, id string) string {
	return store.Key(organisation, "recording:"+store.Escape(id))
}

func facetKey(organisation string, f facet) string {
	return store.Key(organisation, "recordings:by-"+facetNames[f])
}

func writtenKey(organisation string) string { return store.Key(organisation, "recordings:written") }

func deletedKey(organisation string) string { return store.Key(organisation, "recordings:deleted") }

func stampKey(organisation string) string { return store.Key(organisation, "recordings:stamp") }

func idOf(organisation, id string) store.ID { return store.ID{Organisation: organisation, ID: id} }

// Index is the index of recordings in Redis. Its methods may be called by any
// number of goroutines.
type Index struct {
	conn     *store.Conn
	seal     *store.Seal
	queue    queue
	searches chan struct{} // holds one for each search that goes on
	reported uint64        // how many dropped changes were logged; Run's own
}

// New adds the index to what a Conn does.
func New(conn *store.Conn) *Index {
	x := &Index{conn: conn, seal: conn.NewSeal("recording"), queue: queue{limit: maxQueued}, searches: make(chan struct{}, atOnce)}
	conn.Add(store.Subject{Report: x.report, Repair: x.repair, Write: x.writeQueued, Unwritten: x.unwritten})
	return x
}

// Save queues a recording for the index. It never blocks and never fails: the
// Conn's Run writes the latest state of each recording, in the order in which they
// were saved, when Redis is there. What cannot be kept is dropped, counted and
// logged: a recording without an id, one with more than 64 KB of JSON, and, if
// more than 100,000 wait, the oldest.
func (x *Index) Save(r Recording) {
	x.queue.save(r)
	x.conn.Wake()
}

// Delete takes a recording out of the index, in the same way as Save.
func (x *Index) Delete(organisation, id string) {
	x.queue.delete(idOf(organisation, id))
	x.conn.Wake()
}

// Queued is how many recordings have a state that is not known to be in Redis.
func (x *Index) Queued() int { return x.queue.length() }

// Dropped is how many changes could not be kept.
func (x *Index) Dropped() uint64 {
	n, _ := x.queue.droppedSoFar()
	return n
}

// report logs what was dropped since it was last called.
func (x *Index) report() {
	n, reason := x.queue.droppedSoFar()
	if n != x.reported {
		x.conn.Log().Error("recordings are missing in the index: run `tapedeck recordings reindex`",
			"recordings", n-x.reported, "last_reason", reason)
		x.reported = n
	}
}

// writeQueued writes some of what is queued and reports whether there may be more
// to be written now.
func (x *Index) writeQueued(ctx context.Context) (more bool) {
	if ctx.Err() != nil {
		return false
	}
	batch := x.queue.take(recordingsAtOnce)
	if len(batch) == 0 {
		return false
	}
	err := x.writeChanges(ctx, "recordings_write", x.conn.Timeout(), batch)
	x.queue.settle(batch)
	return err == nil || errors.Is(err, store.ErrCorrupt)
}

// unwritten logs what is still queued when Run ends.
func (x *Index) unwritten() {
	if n := x.queue.length(); n > 0 {
		x.conn.Log().Warn("recordings not written to the index in redis: run `tapedeck recordings reindex`", "recordings", n)
	}
}

// repair notes that the index is not whole, because Redis has lost data.
func (x *Index) repair(ctx context.Context) (done bool) { return x.doubtWhole(ctx) == nil }
