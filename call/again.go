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

// idOf names the nth call that began on one leg, from 0: a leg that comes back
// after its call ended must not write over that call's file, nor be taken for that
// call.
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

// lookup asks how many calls of a leg have a file.
type lookup struct {
	organisation, leg string
	found             chan int
}

// diskPatience is how long a leg waits for the disk, which may take as long as it
// likes.
const diskPatience = 50 * time.Millisecond

// begun is how many calls have begun on a leg: as its channel data says, or else the
// disk.
func (d *Desk) begun(ctx context.Context, e entry) int {
	if e.begun > 0 || e.org == nil || !e.org.Recording {
		return e.begun
	}
	ctx, cancel := context.WithTimeout(ctx, diskPatience)
	defer cancel()
	l := lookup{e.org.ID, e.leg, make(chan int, 1)}
	select {
	case d.lookups <- l:
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

// lookUp answers lookups.
func (d *Desk) lookUp(ctx context.Context) {
	for {
		select {
		case l := <-d.lookups:
			l.found <- d.onDisk(l)
		case <-ctx.Done():
			return
		}
	}
}

func (d *Desk) onDisk(l lookup) (n int) {
	for ; ; n++ {
		path, err := d.cfg.Recordings.Path(l.organisation, time.Now(), idOf(l.leg, n))
		if err != nil || !recording.Taken(path) {
			return n
		}
	}
}
