package call

import (
	"context"
	"time"

	"tapedeck/toggle"
)

// The replies on the socket may be a stranger's. So on a leg that FreeSWITCH has confirmed
// the socket carries only what the leg's own answer runs. A command whose result people are
// told (start, mask, unmask, stop) goes over the watch link, and the leg waits on the socket
// for its result, so that the dialplan goes on only then.

// goOnLink sends the turn's recording command over the watch link. It returns the turn by
// which the leg leaves the socket when FreeSWITCH has carried the command out, or has
// failed to.
func (t turn) goOnLink(now time.Time) turn {
	t.call.line.carryOut(t.onLink, now)
	next := leave()
	next.rest = t.call.line.whenAtRest()
	return next
}

// awaitRest waits until the batch may go out.
func (t turn) awaitRest(ctx context.Context) {
	if t.rest == nil {
		return
	}
	select {
	case <-t.rest:
	case <-ctx.Done():
	}
}

// whenAtRest returns a channel that is closed when FreeSWITCH has carried out the recording
// command that is on its way, and those that follow from it, or has failed to.
func (l *line) whenAtRest() <-chan struct{} {
	at := make(chan struct{})
	if l.atRest = append(l.atRest, at); l.call.rec.Pending == toggle.None {
		l.rest()
	}
	return at
}

// rest closes what whenAtRest has returned.
func (l *line) rest() {
	for _, at := range l.atRest {
		close(at)
	}
	l.atRest = nil
}
