package call

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"tapedeck/esl"
	"tapedeck/recording"
	"tapedeck/store"
	"tapedeck/store/calls"
	"tapedeck/toggle"
)

// adoptedSubclass is the event that tells the other instances who owns a call
// from now on.
const adoptedSubclass = "tapedeck::adopted"

// announce tells the other instances.
func (d *Desk) announce(c *call) {
	if d.cfg.Switches[c.on] == nil {
		return
	}
	text, _ := d.live(c)
	d.overLink(c, []esl.Command{esl.API("uuid_getvar", c.holder(), liveVariable), esl.SetVar(c.holder(), liveVariable, text), esl.SendEvent("CUSTOM",
		esl.Header{Name: "Event-Subclass", Value: adoptedSubclass},
		esl.Header{Name: "Tapedeck-Call", Value: c.id},
		esl.Header{Name: "Tapedeck-Owner", Value: d.cfg.Store.Instance()},
		esl.Header{Name: "Tapedeck-Token", Value: fmt.Sprint(c.token)})}, func(replies []esl.Reply, err error) {
		if err != nil {
			c.said = spoken{}
			return
		}
		d.heed(c, replies[0].Text())
	})
}

// heed takes what the owner before has written on the recorded leg since we looked
// at it: an instance that was cut off, or slow, obeys a switch and tells the user
// so before it hears that the call is no longer its own. So the switch counts.
func (d *Desk) heed(c *call, text string) {
	k, err := readControl(text)
	if err != nil || d.calls[c.id] != c || k.Call != c.id || k.Token >= c.token || !k.Pressed.After(c.switchedAt) {
		return
	}
	c.switched, c.switchedAt = k.press(), k.Pressed
	c.note(recording.Note{What: "pressed", Method: k.Method, User: k.User, By: k.Account, Result: "ok"})
	c.log.Info("switch that the owner before has obeyed", "owner", k.Owner, "method", k.Method)
	d.happened(c, toggle.Fact{What: toggle.Stands, Person: k.Person})
	d.keepResume(c)
}

// adoptedElsewhere takes the news that another instance owns a call.
func (d *Desk) adoptedElsewhere(ev *esl.Event) {
	c := d.calls[ev.Get("Tapedeck-Call")]
	if c == nil || ev.Get("Tapedeck-Owner") == d.cfg.Store.Instance() {
		return
	}
	var token int64
	if _, err := fmt.Sscan(ev.Get("Tapedeck-Token"), &token); err == nil && token > c.token {
		d.yield(c)
	}
}

// Lost takes the store's word that another instance owns a call.
func (d *Desk) Lost(organisation, id string) {
	d.lostMu.Lock()
	d.lost = append(d.lost, callID{organisation, id})
	d.lostMu.Unlock()
	d.post(func() {})
}

type callID struct{ organisation, id string }

// mayAct waits until it is certain that our calls are still ours, and leaves
// those that are not, before anything that waits is done for them. It is certain
// all the time, but for an instance that stood still longer than its lease.
func (d *Desk) mayAct(ctx context.Context) {
	for !d.cfg.Store.Holds() {
		select {
		case <-time.After(holdsAgain):
		case <-ctx.Done():
			return
		}
	}
	d.lostMu.Lock()
	lost := d.lost
	d.lost = nil
	d.lostMu.Unlock()
	for _, id := range lost {
		if c := d.calls[id.id]; c != nil && c.org.ID == id.organisation {
			d.yield(c)
		}
	}
}

// holdsAgain is how soon the store is asked again.
const holdsAgain = 2 * time.Millisecond

// yield leaves a call to the instance that has taken it over: nothing is done for
// it here any more, and nothing of it is ended.
func (d *Desk) yield(c *call) {
	c.stopTimers()
	c.yielded = true
	delete(d.calls, c.id)
	for _, p := range c.presses {
		p.reply(c.rec.Status(), toggle.ErrNoCall)
	}
	c.presses = nil
	d.unlight(c)
	d.count(c)
	d.cfg.Meter.Adopted("yielded")
	c.log.Info("call taken over by another instance", "token", c.token)
}

// Orphans takes live calls whose owner is dead. It is told of them again while
// they remain.
func (d *Desk) Orphans(calls []calls.Call) {
	drafts := sync.OnceValue(d.drafts) // for all of them: a dead owner writes no more
	d.post(func() {
		for _, live := range calls {
			if link := d.cfg.Switches[live.Switch]; link != nil && d.calls[live.ID] == nil && !d.claiming[live.ID] {
				d.claiming[live.ID] = true
				legs := d.legsOf(live)
				d.sends.Go(func() { d.takeOver(link, live, legs, drafts) })
			}
		}
	})
}

// legsOf are the legs on which a call may be found.
func (d *Desk) legsOf(live calls.Call) []string {
	legs := []string{live.Leg}
	if live.Anchor != "" && live.Anchor != live.Leg {
		legs = append(legs, live.Anchor)
	}
	for uuid, l := range d.legs {
		if l.call == live.ID && uuid != live.Leg && uuid != live.Anchor {
			legs = append(legs, uuid)
		}
	}
	return legs
}

// takeOver asks FreeSWITCH how a call stands, and adopts it, or ends it if it is
// over, unless another instance is faster. drafts is d.drafts, or what that was a
// moment ago.
func (d *Desk) takeOver(link Switch, live calls.Call, legs []string, drafts func() []recording.Sidecar) {
	defer d.post(func() { delete(d.claiming, live.ID) })
	for asked := false; ; {
		mine, now, err := d.claim(link, live, legs, drafts)
		switch asked = asked || errors.Is(err, store.ErrAway); {
		case err == nil:
			if !d.post(func() { d.inherit(mine, now) }) {
				d.cfg.Log.Warn("call claimed at the very end: another instance has to take it over", "call", live.ID)
			}
			return
		case !asked, errors.Is(err, store.ErrTaken):
			d.cfg.Log.Info("call of a dead instance not taken over", "call", live.ID, "token", live.Token, "error", err)
			return
		}
		// Redis did not answer: the call may be ours all the same, and then nobody
		// else is told of it.
		select {
		case <-time.After(claimAgain):
		case <-d.ctx.Done():
			return
		}
	}
}

// claimAgain is how soon a claim is repeated that had no answer.
const claimAgain = 200 * time.Millisecond

// claimsAtOnce is how many calls are claimed at the same time: of all the calls of
// an instance at once, each would wait for all the others, and none be in time.
const claimsAtOnce = 32

// claim asks FreeSWITCH how a call stands, and then Redis for the call. Without a
// link to FreeSWITCH it does not ask for the call: the store tells of it again.
func (d *Desk) claim(link Switch, live calls.Call, legs []string, drafts func() []recording.Sidecar) (mine calls.Call, now scene, err error) {
	d.claims <- struct{}{}
	defer func() { <-d.claims }()
	ctx, cancel := context.WithTimeout(d.ctx, commandDeadline)
	defer cancel()
	if now, err = survey(ctx, link, legs); err != nil {
		return live, now, err
	}
	now.drafts = drafts()                      // the disk has its own time
	mine, err = d.cfg.Store.Claim(d.ctx, live) // and so has Redis
	return mine, now, err
}

// inherit adopts a claimed call, or ends it.
func (d *Desk) inherit(live calls.Call, now scene) {
	var history []recording.Sidecar
	if err := json.Unmarshal(live.Draft, &history); err != nil && len(live.Draft) > 0 {
		d.cfg.Log.Warn("what was known of a call's files is not readable", "call", live.ID, "error", err)
	}
	history = richer(live.ID, history, now.drafts)
	for uuid := range now.live {
		if _, gone := d.gone[uuid]; gone {
			delete(now.live, uuid)
		}
	}
	d.refresh(now)
	k, there := d.controls(now)[live.ID]
	err := error(nil)
	if holder := cmp.Or(live.Anchor, live.Leg); !there && now.live.has(holder) {
		there = true
		k, err = readControl(live.Snapshot)
	}
	switch {
	case !there:
		if len(history) == 0 {
			history = fromControl(live)
		}
		d.buried(live.Organisation, live.ID, history)
	case err != nil:
		d.cfg.Meter.Adopted("failed")
		d.cfg.Log.Warn("call not taken over", "call", live.ID, "error", err)
	default:
		d.adopt(k, live.Token, history, now)
	}
}

// refresh brings a scene up to date with what the events have told since: of legs
// that are known here, who talks to whom, and who has answered.
func (d *Desk) refresh(now scene) {
	for uuid := range now.live {
		l := d.legs[uuid]
		if l == nil {
			continue
		}
		now.live[uuid] = now.live[uuid] || l.answered
		if delete(now.peers, uuid); l.peer != "" {
			now.peers[uuid] = l.peer
		}
	}
}
