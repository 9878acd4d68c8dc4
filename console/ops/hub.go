package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"tapedeck/store/calls"
)

const (
	// readEvery is how often at most the live calls are read for all who look.
	readEvery = 200 * time.Millisecond
	// readShare is how many times as long as the last reading took the hub waits at
	// least before the next: with very many calls it does not read all the time.
	readShare = 4
	// rereadEvery is how often they are read although no change was reported, and
	// readAgain how soon after Redis did not answer.
	rereadEvery = 15 * time.Second
	readAgain   = time.Second

	// maxViewers is how many streams there may be, and maxAccountViewers how many
	// of one account.
	maxViewers        = 1000
	maxAccountViewers = 20
)

// hub reads the live calls once for all who look at them, after a change was
// reported, and only while somebody looks.
type hub struct {
	live LiveCalls
	log  *slog.Logger

	mu       sync.Mutex
	viewers  map[*viewer]bool
	accounts map[string]int // how many viewers each has
	now      *picture       // the latest; nil: nobody looks, or nothing was read yet
	closed   chan struct{}  // when run has ended

	changed chan struct{} // holds one: there is something to be read
}

// viewer is one stream of somebody.
type viewer struct {
	account string
	wake    chan struct{} // holds one: there is a new picture
}

// picture is all live calls at one moment. It is never changed.
type picture struct {
	serial int64
	away   bool // the calls could not be read: those of the last picture are old
	calls  []liveEntry
}

// liveEntry is a call with the serial of the picture in which it last changed.
type liveEntry struct {
	view    CallView
	text    []byte
	changed int64
}

func newHub(live LiveCalls, log *slog.Logger) *hub {
	return &hub{live: live, log: log, viewers: map[*viewer]bool{}, accounts: map[string]int{},
		closed: make(chan struct{}), changed: make(chan struct{}, 1)}
}

// run reads until ctx ends. It is called once.
func (h *hub) run(ctx context.Context) {
	defer close(h.closed)
	var watch sync.WaitGroup
	defer watch.Wait()
	watch.Go(func() { h.watch(ctx) })
	for {
		wait := rereadEvery
		if h.watched() {
			begin := time.Now()
			if !h.read(ctx) {
				wait = readAgain
			}
			pause(ctx, max(readEvery, readShare*time.Since(begin)))
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-h.changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// watch waits for the store to report changes.
func (h *hub) watch(ctx context.Context) {
	if err := h.live.Watch(ctx, func(string) { h.poke() }); err != nil && ctx.Err() == nil {
		h.log.Error("changes of live calls are not reported: they are read every 15 seconds", "error", err)
	}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (h *hub) poke() {
	select {
	case h.changed <- struct{}{}:
	default: // it will be read anyway
	}
}

func (h *hub) watched() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.viewers) > 0
}

// join adds a viewer, who has to leave. The error is ErrTooMany.
func (h *hub) join(account string) (*viewer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.viewers) >= maxViewers || h.accounts[account] >= maxAccountViewers {
		return nil, ErrTooMany
	}
	w := &viewer{account: account, wake: make(chan struct{}, 1)}
	h.viewers[w] = true
	h.accounts[account]++
	if h.now != nil {
		w.wake <- struct{}{}
	} else {
		h.poke()
	}
	return w, nil
}

func (h *hub) leave(w *viewer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.viewers, w)
	if h.accounts[w.account]--; h.accounts[w.account] == 0 {
		delete(h.accounts, w.account)
	}
	if len(h.viewers) == 0 {
		h.now = nil // it is not read any more
	}
}

// picture is the latest; nil if there is none yet.
func (h *hub) picture() *picture {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

// read makes a new picture and wakes the viewers, if anything is new. It reports
// whether the calls could be read.
func (h *hub) read(ctx context.Context) bool {
	calls, err := h.live.List(ctx)
	if ctx.Err() != nil {
		return true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.now
	if before == nil {
		before = &picture{serial: time.Now().UnixNano()} // larger than any that a viewer has seen
	}
	next := &picture{serial: before.serial + 1, away: err != nil, calls: before.calls}
	same := h.now != nil && before.away == next.away
	if err == nil {
		var equal bool
		next.calls, equal = entriesOf(calls, before.calls, next.serial)
		same = same && equal
	}
	if !same && len(h.viewers) > 0 {
		h.show(next)
	}
	return err == nil
}

// show makes a picture the latest and wakes every viewer. It waits for nobody: a
// slow viewer sees the latest when he looks. h.mu is held.
func (h *hub) show(p *picture) {
	h.now = p
	for w := range h.viewers {
		select {
		case w.wake <- struct{}{}:
		default: // it will look anyway
		}
	}
}

// entriesOf returns the entries of calls. It reports whether they are the same as
// before.
func entriesOf(calls []calls.Call, before []liveEntry, serial int64) (entries []liveEntry, same bool) {
	known := make(map[string]*liveEntry, len(before))
	for i := range before {
		known[before[i].view.ID] = &before[i]
	}
	same = len(calls) == len(before)
	entries = make([]liveEntry, len(calls))
	for i := range calls {
		view := callViewOf(&calls[i])
		text, _ := json.Marshal(view) // every value of it is one of JSON
		entries[i] = liveEntry{view, text, serial}
		if old := known[view.ID]; old != nil && bytes.Equal(old.text, text) {
			entries[i].changed = old.changed
		} else {
			same = false
		}
	}
	return entries, same
}
