package call

import (
	"context"
	"strconv"
	"strings"
	"time"

	"tapedeck/recording"
)

// A leg may begin several calls: a caller whose outgoing call is over is in the
// dialplan again, and calls again. None may write over the file of one before, also
// if that was another Tapedeck's.

// idOf names the nth call that began on one leg, from 0: a leg that comes back after
// its call ended must not write over that call's file, nor be taken for that call.
func idOf(leg string, n int) string {
	if n == 0 {
		return leg
	}
	return leg + "-" + strconv.Itoa(n+1)
}

// begunBy is how many calls have begun on a leg if this is the last of them.
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

// begunLookups carries questions about files that may be there already to the one
// goroutine that asks the disk.
type begunLookups chan begunLookup

// begunLookup asks how many calls of a leg have a file.
type begunLookup struct {
	organisation, leg string
	found             chan int
}

// diskPatience is how long a leg waits for the disk, which may take as long as it
// likes.
const diskPatience = 50 * time.Millisecond

// ask is how many calls have begun on a leg: as its channel data says, or else the
// disk.
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
