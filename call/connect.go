package call

import (
	"context"
	"slices"
	"sync"
	"time"

	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/store/calls"
)

// Connected takes a watch link's (re)connection: it learns which FreeSWITCH that
// is, which legs are gone since, and which calls there are that somebody has to
// follow.
func (d *Desk) Connected(ctx context.Context, on string, conn Switch) error {
	replies, err := conn.SendAll(ctx, []esl.Command{esl.API("global_getvar", "core_uuid")})
	if err != nil {
		return err
	}
	core := replies[0].Text()
	known := map[string]bool{} // a leg that comes after this is live, whatever is said of it
	if !d.ask(ctx, func() {
		for uuid, l := range d.legs {
			known[uuid] = l.on == on || l.on == "" && l.core == core
		}
	}) {
		return ctx.Err() // the link has gone, or the Desk is ending
	}
	now, err := surveyAll(ctx, conn, known)
	if err != nil {
		return err
	}
	now.drafts = d.drafts()
	d.ask(ctx, func() {
		d.connected(on, core, known, now)
		d.sends.Go(func() { d.lookAgain(ctx, on, conn) })
	})
	return nil
}

// surveyAll asks for the legs that are listed and those that are known.
func surveyAll(ctx context.Context, conn Switch, known map[string]bool) (scene, error) {
	legs, err := listed(ctx, conn)
	if err != nil {
		return scene{}, err
	}
	for uuid, here := range known {
		if here {
			legs = append(legs, uuid)
		}
	}
	return survey(ctx, conn, legs)
}

// listedBy is how late a leg may be listed (switch_core_sqldb.c, the writing
// thread).
const listedBy = 2 * time.Second

// lookAgain finds the legs that came shortly before the connection, and were not
// listed yet.
func (d *Desk) lookAgain(ctx context.Context, on string, conn Switch) {
	select {
	case <-time.After(listedBy):
	case <-ctx.Done():
		return
	case <-d.done:
		return
	}
	legs, err := listed(ctx, conn)
	if err != nil {
		return // the link is down: the next one looks too
	}
	if !d.ask(ctx, func() { legs = slices.DeleteFunc(legs, func(uuid string) bool { return d.legs[uuid] != nil }) }) {
		return
	}
	if now, err := survey(ctx, conn, legs); err == nil {
		now.drafts = d.drafts()
		d.ask(ctx, func() {
			now.dumps = d.strangers(now.dumps)
			d.learn(on, now)
			d.meet(on, now)
			d.fade(on, now)
			for _, c := range d.calls {
				if c.on == on && c.onAnswering() {
					d.catchUp(c, now)
				}
			}
		})
	}
}

// connected ends what is gone, of the legs that were known before the list was
// made, and what is left gets commands again. What entered before it was known
// which switch has that core is that switch's from now on.
func (d *Desk) connected(on, core string, known map[string]bool, now scene) {
	d.cores[core] = on
	for _, c := range d.calls {
		if c.on == "" && c.core == core {
			c.on = on
		}
	}
	d.learn(on, now)
	for _, c := range d.calls {
		if c.on == on {
			d.catchUpAnswer(c, now)
		}
	}
	for uuid, l := range d.legs {
		if l.on == "" && l.core == core {
			l.on = on
		}
		if known[uuid] && !now.live.has(uuid) {
			c := d.callOf(uuid)
			if c != nil && c.onAnswering() && uuid == c.first {
				c.fading = true // the outside party may have answered, and its leg is not listed yet
				continue
			}
			if c != nil {
				c.lost = true
			}
			d.hungUp(uuid)
		}
	}
	for _, c := range d.calls {
		if c.on == on {
			if c.direction == flow.Outbound && c.anchor != "" { // it may have been lost with the link
				d.disarmFirst(c)
			}
			c.said = spoken{}
			d.catchUp(c, now)
		}
	}
	d.meet(on, now)
}

// learn takes what there is to know of legs.
func (d *Desk) learn(on string, now scene) {
	for uuid, data := range now.dumps {
		d.created(on, uuid, data)
		d.learnRate(uuid, data)
		d.pair(uuid, now.peers[uuid])
		if l := d.legs[uuid]; l != nil {
			l.answered = now.live[uuid]
		}
	}
}

// fade ends the outgoing calls whose first leg is gone, and which nobody is found
// to have answered.
func (d *Desk) fade(on string, now scene) {
	for _, c := range d.calls {
		if c.on != on || !c.fading {
			continue
		}
		c.fading = false
		if d.catchUpAnswer(c, now); c.anchor != "" {
			d.left(c, c.first)
			d.catchUp(c, now)
			continue
		}
		c.lost = true
		d.hungUp(c.first)
	}
}

// strangers are the legs that nothing is known of yet. Of the others the events
// have told later news.
func (d *Desk) strangers(dumps map[string]headers) map[string]headers {
	strangers := map[string]headers{}
	for uuid, data := range dumps {
		if _, late := d.gone[uuid]; !late && d.legs[uuid] == nil {
			strangers[uuid] = data
		}
	}
	return strangers
}

// meet takes the calls that somebody else followed: those of an instance before
// this one at once, if there can be no other. Those of other instances, which may
// be alive, when Redis says that they are not.
func (d *Desk) meet(on string, now scene) {
	for id, k := range d.controls(now) {
		k.Switch = on
		switch {
		case d.calls[id] != nil:
		case d.cfg.Store.Alone():
			d.adopt(k, k.Token+1, richer(id, nil, now.drafts), now)
		default:
			d.waifs[id] = waif{control: k, met: time.Now()}
		}
	}
	if d.cfg.Store.Alone() {
		d.buryGone(on, now)
	}
}

// waif is a call of another instance that was met on a FreeSWITCH.
type waif struct {
	control
	met  time.Time
	dead int // looks at which its owner gave no sign of life
}

// A waif is taken waifAfter it was met at the earliest, so that the store comes
// first if it knows the call; and if its owner was dead at deadLooks looks, a
// second apart.
const (
	waifAfter = 2 * time.Second
	deadLooks = 2
)

// takeWaifs takes over the calls whose owner is dead and of which Redis does not
// know.
func (d *Desk) takeWaifs(now time.Time) {
	drafts := sync.OnceValue(d.drafts)
	for id, w := range d.waifs {
		link := d.cfg.Switches[w.Switch]
		switch {
		case d.calls[id] != nil, link == nil, d.legs[w.holder()] == nil:
			delete(d.waifs, id)
		case !d.claiming[id] && now.Sub(w.met) > waifAfter:
			d.claiming[id] = true
			legs := d.legsOf(w.liveCall())
			d.sends.Go(func() { d.takeWaif(link, w, legs, drafts) })
		}
	}
}

// takeWaif takes one over, unless its owner lives.
func (d *Desk) takeWaif(link Switch, w waif, legs []string, drafts func() []recording.Sidecar) {
	alive, err := d.cfg.Store.Alive(d.ctx, w.Owner)
	if err == nil && !alive {
		w.dead++
	}
	if w.dead >= deadLooks {
		d.takeOver(link, w.liveCall(), legs, drafts)
		return
	}
	d.post(func() {
		delete(d.claiming, w.Call)
		if alive {
			delete(d.waifs, w.Call)
		} else if _, still := d.waifs[w.Call]; still {
			d.waifs[w.Call] = w
		}
	})
}

// liveCall is a call as Redis would know it.
func (k control) liveCall() calls.Call {
	return calls.Call{ID: k.Call, Organisation: k.Organisation, Direction: k.Direction, Switch: k.Switch, Leg: k.First, Anchor: k.Anchor,
		State: calls.Off, Started: k.Began, Owner: k.Owner, Token: k.Token, Snapshot: k.encode()}
}

// holder is the leg that k was read from.
func (k control) holder() string {
	if k.Anchor != "" {
		return k.Anchor
	}
	return k.First
}
