package recording

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"tapedeck/internal/tidy"
	"tapedeck/recording/sound"
)

// mostMP3s is how many MP3s an account may have in the Encoder: one that is made and
// two that wait.
const mostMP3s = 3

// ErrTooManyWaiting is the error for an MP3 more than an account may wait for.
var ErrTooManyWaiting = errors.New("this account waits for several MP3s already")

// Encoder makes MP3s, one at a time. The accounts take turns: each has one MP3 that is
// being made or is the next, and others that wait for it. NewEncoder makes one.
type Encoder struct {
	dir   Dir
	shop  Workshop
	alive context.Context
	end   context.CancelFunc // of alive
	turn  chan struct{}      // holds a value while an MP3 is made
	work  sync.WaitGroup

	mu       sync.Mutex // guards what follows, and the waiters of the jobs
	jobs     map[string]*encoding
	accounts map[string]*waitingList
}

// encoding is an MP3 that is to be made.
type encoding struct {
	waiters int // who wants it
	abandon context.CancelCauseFunc
	done    chan struct{} // closed when it is made, or not
	err     error         // set before done is closed
}

// waitingList is what an account has in the Encoder.
type waitingList struct {
	mp3s int
	turn chan struct{} // holds a value while one of them is made, or is the next
}

// NewEncoder returns an Encoder. Close ends it.
func NewEncoder(d Dir, shop Workshop) *Encoder {
	alive, end := context.WithCancel(context.Background())
	return &Encoder{dir: d, shop: shop, alive: alive, end: end, turn: make(chan struct{}, 1),
		jobs: map[string]*encoding{}, accounts: map[string]*waitingList{}}
}

// Close stops the MP3 that is being made, and waits a moment for that: an abandoned one
// that is nearly done may go on. No other is made later.
func (e *Encoder) Close() {
	e.mu.Lock()
	e.end()
	e.mu.Unlock()
	ended := make(chan struct{})
	go func() { e.work.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(closeWait):
	}
}

// closeWait is how long Close waits for an MP3 that does not stop.
const closeWait = time.Second

// MP3 returns the path of a recording's MP3, beside the WAV, and makes it for an account if
// there is none or if it is older than the WAV, whole or not at all. Path is that of one
// of the recording's files. The WAV stays as it is. An existing MP3 keeps the tags
// that it was made with. The error is ErrNoSound for a recording that cannot become
// an MP3, ErrLive for one that is not over, fs.ErrNotExist for one without a file, and
// ErrTooManyWaiting if the account has to wait for its others first.
//
// Whoever asks for an MP3 that is being made waits for that one. The end of ctx ends the
// wait. An MP3 that nobody waits for is stopped, unless it is nearly done.
func (e *Encoder) MP3(ctx context.Context, account, path string, s Sidecar) (mp3Path string, err error) {
	v, err := e.dir.openDerived(path, ".mp3")
	if err == nil {
		defer v.close()
		if !v.fresh() {
			err = e.await(ctx, account, path, v.path, s)
		}
	}
	if err != nil {
		return "", fmt.Errorf("recording: MP3: %w", err)
	}
	return v.path, nil
}

// await waits until an MP3 is made.
func (e *Encoder) await(ctx context.Context, account, path, mp3Path string, s Sidecar) error {
	job, err := e.join(account, path, mp3Path, s)
	if err != nil {
		return err
	}
	defer e.leave(mp3Path, job)
	select {
	case <-job.done:
		return job.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// join returns the job that makes an MP3, and begins it if there is none.
func (e *Encoder) join(account, path, mp3Path string, s Sidecar) (*encoding, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.alive.Err(); err != nil {
		return nil, err
	}
	if job := e.jobs[mp3Path]; job != nil {
		job.waiters++
		return job, nil
	}
	list := e.accounts[account]
	if list == nil {
		list = &waitingList{turn: make(chan struct{}, 1)}
		e.accounts[account] = list
	}
	if list.mp3s == mostMP3s {
		return nil, ErrTooManyWaiting
	}
	list.mp3s++
	ctx, abandon := context.WithCancelCause(e.alive)
	job := &encoding{waiters: 1, abandon: abandon, done: make(chan struct{})}
	e.jobs[mp3Path] = job
	e.work.Go(func() {
		job.err = e.inTurn(ctx, list, path, tagsOf(s))
		e.finished(account, mp3Path, job)
	})
	return job, nil
}

// leave ends the wait of one who wanted an MP3. Who asks for one that was abandoned
// begins another job, which finds it made if it was nearly done.
func (e *Encoder) leave(mp3Path string, job *encoding) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if job.waiters--; job.waiters == 0 {
		job.abandon(ErrAbandoned)
		e.forget(mp3Path, job)
	}
}

// finished ends a job.
func (e *Encoder) finished(account, mp3Path string, job *encoding) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forget(mp3Path, job)
	list := e.accounts[account]
	if list.mp3s--; list.mp3s == 0 {
		delete(e.accounts, account)
	}
	close(job.done)
}

// forget lets nobody join a job any more. e.mu is held.
func (e *Encoder) forget(mp3Path string, job *encoding) {
	if e.jobs[mp3Path] == job {
		delete(e.jobs, mp3Path)
	}
}

// inTurn makes an MP3 when it is the account's turn, and then this MP3's.
func (e *Encoder) inTurn(ctx context.Context, list *waitingList, path string, tags sound.Tags) error {
	for _, turn := range []chan struct{}{list.turn, e.turn} {
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	v, err := e.dir.openDerived(path, ".mp3")
	if err != nil {
		return err
	}
	defer v.close()
	if v.fresh() { // an abandoned job made it
		return nil
	}
	return v.create(func(in, out *os.File) error { return e.shop.MP3(ctx, in, out, tags) })
}

// tagsOf is how a recording's MP3 describes itself.
func tagsOf(s Sidecar) sound.Tags {
	title := s.Direction + " call"
	if s.External != "" {
		title += ", " + s.External
	}
	if len(s.Users) > 0 {
		title += ", " + strings.Join(s.Users, ", ")
	}
	return sound.Tags{
		Title: tidy.Text(title, maxReason), Date: tidy.Time(s.Started),
		Album: tidy.Text(s.Organisation, maxReason), Comment: tidy.Text("recording "+s.ID(), maxReason),
	}
}
