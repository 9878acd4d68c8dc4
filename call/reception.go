package call

import (
	"context"
	"crypto/subtle"
	"time"

	"tapedeck/call/confirm"
	"tapedeck/esl"
)

// reception finds out what a leg on the outbound socket is. Whoever can connect may say
// that he is a leg, so FreeSWITCH is asked (call/confirm), and what it says counts in place
// of what came on the socket.
type reception struct{ ctl *Controller }

// secretVariable is the channel variable with the secret of the dialplan.
const secretVariable = "tapedeck_secret"

// receive reads a leg's entry. It returns false if the leg was refused, or has hung up.
func (r reception) receive(ctx context.Context, leg *esl.Call) (entry, bool) {
	is, confirmed := r.confirm(ctx, leg)
	data := leg.Data
	if confirmed != nil {
		data = confirmed
	}
	secret := r.ctl.cfg.SocketSecret.Reveal()
	switch {
	case is == confirm.Unknown:
		if r.knew(ctx, leg.UUID()) { // it has just hung up
			return entry{}, false
		}
		r.refuse(leg, "no leg of a FreeSWITCH of ours")
	case is == confirm.Forged:
		r.refuse(leg, "its leg has another Core-UUID")
	case secret != "" && subtle.ConstantTimeCompare([]byte(data.Variable(secretVariable)), []byte(secret)) != 1:
		r.refuse(leg, "tapedeck_secret is not the daemon file's socket_secret")
	default:
		if is == confirm.Elsewhere {
			r.ctl.cfg.Stranger.tell(leg.From(), "its leg is not at a socket")
		}
		e := readEntry(r.ctl.cfg.Policy(), data)
		e.standing = is
		e.begun = r.ctl.begun.ask(ctx, e)
		return e, true
	}
	return entry{}, false
}

// confirm asks FreeSWITCH for the leg.
func (r reception) confirm(ctx context.Context, leg *esl.Call) (confirm.Standing, *esl.Event) {
	ctx, cancel := context.WithTimeout(ctx, r.ctl.cfg.EntryDeadline/3)
	defer cancel()
	return r.ctl.switches.asker.Ask(ctx, leg.UUID(), leg.Data.Get("Core-UUID"))
}

// refuse sends a stranger away.
func (r reception) refuse(leg *esl.Call, why string) {
	leg.Refuse(why)
	r.ctl.cfg.Stranger.tell(leg.From(), why)
}

// Strangers is told of each stranger (Config.Stranger).
type Strangers func(from, why string)

func (s Strangers) tell(from, why string) {
	if s != nil {
		s(from, why)
	}
}

// knew reports whether the events have told of a leg.
func (r reception) knew(ctx context.Context, uuid string) (known bool) {
	r.ctl.ask(ctx, func(time.Time) { known = !r.ctl.legs.isNew(uuid) })
	return known
}
