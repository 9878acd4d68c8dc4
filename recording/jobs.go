package recording

import (
	"context"
	"sync"
	"time"
)

// What the disk refused is tried again after firstRetry, and then after twice as long each
// time, up to lastRetry. What a draft does not have is lost if Tapedeck is killed and the call
// ends before the restart, so the first attempts for a draft follow sooner.
const (
	firstRetry      = time.Second
	firstDraftRetry = 200 * time.Millisecond
	lastRetry       = 30 * time.Second
)

// job is what is to be done for one recording. It is in one queue at most, and in
// none while a worker has it.
type job struct {
	id        string
	draft     *Sidecar // to be written
	discard   bool     // the draft is to be removed
	finish    *Sidecar // to be examined and written; then there is no draft any more
	callbacks []func(Sidecar, error)

	in      *queue
	busy    bool          // a worker has it
	delay   time.Duration // before the next attempt
	backoff time.Duration // the last delay after a failure
	lastTry bool          // Run is ending, and this had its last attempt

	reported      string    // the cause of failure that was reported last
	readFailures  int       // how often the file could not be read
	examined      *Sidecar  // what the last look at the file found
	examinedState fileState // of the file at that look
}

func (j *job) pending() bool { return j.draft != nil || j.discard || j.finish != nil }

// queue holds jobs that are ready, first come first served, and jobs that wait for
// their next attempt.
type queue struct {
	ready []*job // some may have left: their in is another queue, or nil
	later map[*job]time.Time
}

func newQueue() queue { return queue{later: map[*job]time.Time{}} }

// add adds a job, and takes it out of the queue that it was in.
func (q *queue) add(j *job, now time.Time) {
	if j.in != nil {
		delete(j.in.later, j)
	}
	j.in = q
	if j.delay > 0 {
		q.later[j] = now.Add(j.delay)
	} else {
		q.ready = append(q.ready, j)
	}
}

// take removes and returns the next job that is due, or with all the next one, due
// or not. If there is none it returns how long until one is due, at most an hour.
func (q *queue) take(now time.Time, all bool) (*job, time.Duration) {
	wait := time.Hour
	for j, due := range q.later {
		if len(q.ready) > 0 && !all {
			break
		}
		if left := due.Sub(now); left > 0 && !all {
			wait = min(wait, left)
			continue
		}
		delete(q.later, j)
		q.ready = append(q.ready, j)
	}
	for len(q.ready) > 0 {
		j := q.ready[0]
		q.ready[0] = nil
		q.ready = q.ready[1:]
		if j.in == q {
			j.in = nil
			return j, 0
		}
	}
	return nil, wait
}

// jobs are the jobs of an Archive, by recording, and the queues that its workers
// take them from.
type jobs struct {
	mu       sync.Mutex // guards everything below, and the jobs but for what a worker alone uses
	byID     map[string]*job
	drafts   queue
	finished queue
	working  int           // jobs that workers have
	changed  chan struct{} // closed, and replaced, when there may be something to take
}

func newJobs() *jobs {
	return &jobs{byID: map[string]*job{}, drafts: newQueue(), finished: newQueue(), changed: make(chan struct{})}
}

// update changes what is to be done for a recording.
func (js *jobs) update(id string, change func(*job)) {
	js.mu.Lock()
	defer js.mu.Unlock()
	j := js.byID[id]
	if j == nil {
		j = &job{id: id}
		js.byID[id] = j
	}
	finishing := j.finish != nil
	change(j)
	j.lastTry = false
	if j.in == nil || j.finish != nil && !finishing {
		js.schedule(j)
	}
}

// schedule puts a job into the queue where it belongs. js.mu is held.
func (js *jobs) schedule(j *job) {
	switch {
	case j.busy: // release schedules it
		return
	case !j.pending():
		delete(js.byID, j.id)
		return
	case j.lastTry:
		return
	case j.finish != nil:
		js.finished.add(j, time.Now())
	default:
		js.drafts.add(j, time.Now())
	}
	js.wake()
}

// work does the jobs of a queue until ctx ends, and then once those that are left.
func (js *jobs) work(ctx context.Context, q *queue, do func(*job)) {
	ended := ctx.Done()
	for {
		j, wait, changed := js.next(ended == nil, q)
		switch {
		case j != nil:
			do(j)
			js.release(j)
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

// next takes a job. If there is none it returns how long to wait for one, unless
// changed is closed before. 0 means that no job will come: Run is ending, and no
// worker has a job that could return.
func (js *jobs) next(ending bool, q *queue) (j *job, wait time.Duration, changed <-chan struct{}) {
	js.mu.Lock()
	defer js.mu.Unlock()
	j, wait = q.take(time.Now(), ending)
	if j != nil {
		js.working++
		j.busy, j.lastTry = true, ending
	} else if ending && js.working == 0 {
		wait = 0
	}
	return j, wait, js.changed
}

// release returns a job that a worker had.
func (js *jobs) release(j *job) {
	js.mu.Lock()
	defer js.mu.Unlock()
	js.working--
	j.busy = false
	js.schedule(j)
	js.wake()
}

// retry has a job tried again after wait or, if that is 0, after a delay that grows
// with each failure.
func (js *jobs) retry(j *job, wait time.Duration) {
	js.mu.Lock()
	defer js.mu.Unlock()
	if wait == 0 {
		first := firstRetry
		if j.finish == nil {
			first = firstDraftRetry
		}
		j.backoff = min(max(first, 2*j.backoff), lastRetry)
		wait = j.backoff
	}
	j.delay = wait
}

// waiting returns how many live and how many finished recordings wait to be
// written.
func (js *jobs) waiting() (drafts, finished int) {
	js.mu.Lock()
	defer js.mu.Unlock()
	for _, j := range js.byID {
		if j.finish != nil {
			finished++
		} else {
			drafts++
		}
	}
	return drafts, finished
}

// wake wakes the workers. js.mu is held.
func (js *jobs) wake() {
	close(js.changed)
	js.changed = make(chan struct{})
}
