package recording

import (
	"context"
	"time"
)

// entry is what is to be done for one recording. It is in one queue at most, and
// not while somebody works on it.
type entry struct {
	id      string
	draft   *Sidecar // to be written
	discard bool     // the draft is to be removed
	finish  *Sidecar // to be examined and written; then the draft counts no more
	then    []func(Sidecar, error)

	in      *queue
	busy    bool
	delay   time.Duration // before the next attempt
	backoff time.Duration // the last delay after a failure
	last    bool          // Run is ending, and this had its last attempt
	listens int           // how often the file could not be read
	told    string        // the cause that was told of last

	examined *Sidecar // the file was examined, and is as it was then
	seen     fileState
}

func (e *entry) pending() bool { return e.draft != nil || e.discard || e.finish != nil }

// queue is of entries that are ready, first come first served, and of those that
// wait for their next attempt.
type queue struct {
	ready []*entry // those that have left it meanwhile are skipped
	later map[*entry]time.Time
}

func newQueue() queue { return queue{later: map[*entry]time.Time{}} }

func (q *queue) add(e *entry, now time.Time) {
	if e.in != nil {
		delete(e.in.later, e)
	}
	e.in = q
	if e.delay > 0 {
		q.later[e] = now.Add(e.delay)
	} else {
		q.ready = append(q.ready, e)
	}
}

// take is the next entry that is due; if there is none, how long until one is, at
// most an hour.
func (q *queue) take(now time.Time, all bool) (*entry, time.Duration) {
	wait := time.Hour
	for e, due := range q.later {
		if len(q.ready) > 0 && !all {
			break
		}
		if left := due.Sub(now); left > 0 && !all {
			wait = min(wait, left)
			continue
		}
		delete(q.later, e)
		q.ready = append(q.ready, e)
	}
	for len(q.ready) > 0 {
		e := q.ready[0]
		q.ready[0] = nil
		q.ready = q.ready[1:]
		if e.in == q {
			e.in = nil
			return e, 0
		}
	}
	return nil, wait
}

// change changes what is to be done for a recording.
func (a *Archive) change(id string, do func(*entry)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.entries[id]
	if e == nil {
		e = &entry{id: id}
		a.entries[id] = e
	}
	finishing := e.finish != nil
	do(e)
	e.last = false
	if e.in == nil || e.finish != nil && !finishing {
		a.schedule(e)
	}
}

// schedule puts an entry where it belongs. a.mu is held.
func (a *Archive) schedule(e *entry) {
	switch {
	case e.busy: // release does it
		return
	case !e.pending():
		delete(a.entries, e.id)
		return
	case e.last: // Run is ending
		return
	case e.finish != nil:
		a.done.add(e, time.Now())
	default:
		a.drafts.add(e, time.Now())
	}
	a.tell()
}

// work does what is in a queue until ctx ends, and then once more what is left.
func (a *Archive) work(ctx context.Context, q *queue, do func(*entry)) {
	ended := ctx.Done()
	for {
		e, wait, changed := a.next(ended == nil, q)
		switch {
		case e != nil:
			do(e)
			a.release(e)
			continue
		case wait == 0:
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-ended:
			ended = nil
		}
		timer.Stop()
	}
}

// next takes an entry. If there is none it says how long to wait for one; 0 is for
// good: Run is ending, and nobody is at work who could leave something.
func (a *Archive) next(ending bool, q *queue) (*entry, time.Duration, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e, wait := q.take(time.Now(), ending)
	if e != nil {
		a.working++
		e.busy, e.last = true, ending
	} else if ending && a.working == 0 {
		wait = 0
	}
	return e, wait, a.changed
}

func (a *Archive) release(e *entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.working--
	e.busy = false
	a.schedule(e)
	a.tell()
}

// tell wakes the workers. a.mu is held.
func (a *Archive) tell() {
	close(a.changed)
	a.changed = make(chan struct{})
}
