// Package simulate plays FreeSWITCH to a running Tapedeck: it hands calls to its outbound
// socket and times how long each is held there.
package simulate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"tapedeck/cmd/words"
	"tapedeck/esl/esltest"
)

// Load says which calls are played, and how fast.
type Load struct {
	Target      string  // outbound socket of the Tapedeck, HOST:PORT
	Number      string  // that is dialled
	Calls       int     // how many
	Rate        float64 // calls begun per second; 0: as fast as they go
	Concurrency int     // calls on the socket at once
}

// Run plays the load until ctx ends, and prints the result. It fails if a call failed or
// ctx ended before the last one. If nobody listens at the target it prints nothing.
func (l Load) Run(ctx context.Context, stdout io.Writer) error {
	r := l.play(ctx)
	if len(r.held) == 0 && errors.Is(r.first, esltest.ErrNoController) {
		return fmt.Errorf("nobody takes calls on %s: start `tapedeck serve` there, or name its outbound socket with --target: %w", l.Target, r.first)
	}
	r.print(stdout)
	switch {
	case r.failed > 0:
		hint := ""
		if len(r.held) == 0 && errors.Is(r.first, io.EOF) {
			hint = "; a Tapedeck with a watch link takes the calls of its FreeSWITCHes alone: start one without switches, and name its outbound socket with --target"
		}
		return fmt.Errorf("%d of %d calls failed, the first because: %w%s", r.failed, r.failed+len(r.held), r.first, hint)
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted after %d of %d calls", len(r.held), l.Calls)
	}
	return nil
}

// result is what happened to the calls of a load.
type result struct {
	mu     sync.Mutex
	held   []time.Duration // of each call that worked, from connect to exit
	armed  int             // calls whose recording is armed
	failed int
	first  error // why the first call failed
	took   time.Duration
}

// play places the calls. Each hangs up before it is answered.
func (l Load) play(ctx context.Context) *result {
	sw := esltest.New(esltest.Options{Name: "simulate", Clock: esltest.Manual})
	defer sw.Close()
	var r result
	began := time.Now()
	places := make(chan struct{}, l.Concurrency)
	var calls sync.WaitGroup
	for n := range l.Calls {
		if !l.wait(ctx, began, n) || r.inVain() {
			break
		}
		places <- struct{}{}
		calls.Go(func() {
			held, armed, err := l.call(ctx, sw)
			if err == nil || ctx.Err() == nil { // otherwise the end of ctx cut it
				r.add(held, armed, err)
			}
			<-places
		})
	}
	calls.Wait()
	r.took = time.Since(began)
	return &r
}

// wait waits until the nth call is due, and reports false if ctx ended.
func (l Load) wait(ctx context.Context, began time.Time, n int) bool {
	if l.Rate > 0 {
		due := began.Add(time.Duration(float64(n) / l.Rate * float64(time.Second)))
		t := time.NewTimer(time.Until(due))
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}

func (l Load) call(ctx context.Context, sw *esltest.Switch) (held time.Duration, armed bool, err error) {
	leg := sw.Incoming(esltest.Leg{Number: "+447700900123", Destination: l.Number})
	defer leg.Hangup("ORIGINATOR_CANCEL")
	stats, err := leg.Socket(ctx, l.Target)
	if err == nil && !stats.Exit {
		err = errors.New("the socket was closed without an exit: the dialplan goes on, nothing is recorded")
	}
	return stats.Total, leg.Get("execute_on_answer_tapedeck_1") != "", err
}

// inVain reports whether nobody listens at the target.
func (r *result) inVain() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.held) == 0 && errors.Is(r.first, esltest.ErrNoController)
}

func (r *result) add(held time.Duration, armed bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err != nil:
		if r.failed++; r.failed == 1 {
			r.first = err
		}
		return
	case armed:
		r.armed++
	}
	r.held = append(r.held, held)
}

func (r *result) print(w io.Writer) {
	slices.Sort(r.held)
	fmt.Fprintf(w, "%s in %.2f s: %.0f calls/s, %d to be recorded, %d failed\n", words.Count(len(r.held)+r.failed, "call"), r.took.Seconds(),
		float64(len(r.held))/r.took.Seconds(), r.armed, r.failed)
	if len(r.held) > 0 {
		fmt.Fprintf(w, "connect to exit: p50 %.2f ms, p99 %.2f ms, longest %.2f ms\n",
			milliseconds(r.quantile(0.50)), milliseconds(r.quantile(0.99)), milliseconds(r.quantile(1)))
	}
}

// quantile is the nearest-rank quantile of the sorted times.
func (r *result) quantile(q float64) time.Duration {
	return r.held[max(0, min(len(r.held)-1, int(q*float64(len(r.held))+0.5)-1))]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
