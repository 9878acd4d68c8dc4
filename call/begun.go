package call

import (
	"context"
	"strconv"
	"strings"
	"time"

	"tapedeck/recording"
)

// A leg may begin several calls: a caller whose outgoing call is over is in the
// dialplan again, and calls again. No call may write over the file of an earlier one,
// even if another Tapedeck followed that.

// idOf is the id of the nth call that began on a leg, counted from 0. Each call has
// its own id, so a leg that calls again does not write over its previous file.
func idOf(leg string, n int) string {
	if n == 0 {
		return leg
	}
	return leg + "-" + strconv.Itoa(n+1)
}

// begunBy is the number of calls that have begun on a leg if this is the last one; 0
// if it is no call of that leg.
func begunBy(leg, call string) int {
	if call == leg {
		return 1
	}
	number, _ := strings.CutPrefix(call, leg+"-")
	if n, err := strconv.Atoi(number); err == nil && n > 1 && idOf(leg, n-1) == call {
		return n
	}
	return 0
}

// begunLookups passes lookups to the one goroutine that asks the disk.
type begunLookups chan begunLookup

// begunLookup asks how many calls of a leg have a file.
type begunLookup struct {
	organisation, leg string
	found             chan int
}

// diskPatience is how long a leg waits for the answer of the disk.
const diskPatience = 50 * time.Millisecond

// ask is the number of calls that have begun on a leg, as the channel data or else
// the disk says. It is 0 if the disk does not answer in time.
func (b begunLookups) ask(ctx context.Context, e entry) int {
	if e.begun > 0 || e.org == nil || !e.org.Recording {
		return e.begun
	}
	ctx, cancel := context.WithTimeout(ctx, diskPatience)
	defer cancel()
	l := begunLookup{e.org.ID, e.leg, make(chan int, 1)}
	select {
	case b <- l:
	case <-ctx.Done():
		return 0
	}
	select {
	case n := <-l.found:
		return n
	case <-ctx.Done():
		return 0
	}
}

// serve answers lookups until ctx ends.
func (b begunLookups) serve(ctx context.Context, dir recording.Dir) {
	for {
		select {
		case l := <-b:
			l.found <- l.count(dir)
		case <-ctx.Done():
			return
		}
	}
}

func (l begunLookup) count(dir recording.Dir) (n int) {
	for ; ; n++ {
		path, err := dir.Path(l.organisation, time.Now(), idOf(l.leg, n))
		if err != nil || !recording.Taken(path) {
			return n
		}
	}
}
