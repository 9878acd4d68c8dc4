package call

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"tapedeck/esl"
)

// A call has one owner among several Tapedecks. A leg of a call that another one
// owns may reach our socket all the same: then the leg itself tells the owner,
// by an event that carries its channel data, and we do no more than what depends
// on the organisation alone. If the owner is dead, whoever takes the call over
// has heard the event too.

// relayedVariable keeps, on the leg, the elements that it entered elsewhere, until
// the owner has seen to them: whoever takes the call over finds them there, if
// nobody who heard the event is left.
const (
	relayedVariable = "tapedeck_relayed"
	maxRelayed      = 2048
)

// enteredSubclass is that event; relayHeader names it among others.
const (
	enteredSubclass = "tapedeck::entered"
	relayHeader     = "Tapedeck-Relay"
)

// relay lets the owner know of a leg that entered here.
func (d *Desk) relay(k control, e entry) turn {
	org := d.cfg.Policy().Organisations[k.Organisation]
	if org == nil {
		d.cfg.Log.Warn("call of an organisation that the policy does not have: left alone", "call", k.Call)
		return turn{exits: true, send: []esl.Command{esl.Exit()}}
	}
	d.cfg.Log.Info("call belongs to another instance: told", "call", k.Call, "owner", k.Owner)
	c := &call{org: org, direction: k.Direction, first: k.First}
	d.serials++
	id := d.cfg.Store.Instance() + "-" + strconv.Itoa(d.serials)
	d.relays[k.Call] = append(d.relays[k.Call], relayed{id, e, time.Now()})
	send := append(c.onPhones(e.leg), esl.Execute("event", "Event-Name=CUSTOM,Event-Subclass="+enteredSubclass+","+relayHeader+"="+id))
	if el, err := readElement(d.cfg.Policy(), org, e.hint); e.hint != "" && err == nil && len(e.relayed) < maxRelayed {
		send = append(send, esl.Execute("set", relayedVariable+"="+strings.TrimPrefix(e.relayed+","+el.String(), ",")))
	}
	if e.hint != "" {
		send = append(send, esl.Execute("unset", "tapedeck_element"))
	}
	if e.transferrer != "" && c.refuses(e) {
		send = append(send, refused()...)
	}
	return turn{exits: true, send: append(send, esl.Exit())}
}

// relayed is a leg that entered at an instance which did not own its call.
type relayed struct {
	id    string
	entry entry
	at    time.Time
}

// relayedLife is how long one is kept for a call that has no owner yet.
const relayedLife = 10 * time.Second

// enteredElsewhere takes a leg that entered at another instance into our call; of
// a call that is not ours it is kept for a while, in case it becomes ours.
func (d *Desk) enteredElsewhere(on string, ev *esl.Event) {
	e := readEntry(d.cfg.Policy(), ev)
	k, err := readControl(e.live)
	if err != nil {
		d.cfg.Log.Warn("leg that entered elsewhere not understood", "leg", e.leg, "error", err)
		return
	}
	if d.legs[e.leg] == nil {
		d.created(on, e.leg, ev)
	}
	if c := d.calls[k.Call]; c != nil {
		d.enterRelayed(c, e, d.when(on, ev))
		return
	}
	id := ev.Get(relayHeader)
	if !slices.ContainsFunc(d.relays[k.Call], func(r relayed) bool { return r.id == id }) { // it was not ours
		d.relays[k.Call] = append(d.relays[k.Call], relayed{id, e, d.when(on, ev)})
	}
}

// enterRelayed does over the watch link what the socket would have done.
func (d *Desk) enterRelayed(c *call, e entry, at time.Time) {
	d.answeredBefore(c, e)
	if e.transferrer != "" && c.refuses(e) {
		d.pressedByTransfer(c, e)
		return
	}
	if el, err := readElement(d.cfg.Policy(), c.org, e.hint); e.hint != "" && (err != nil || at.After(c.caughtUp) || !slices.Contains(c.seen, el.String())) {
		d.enterElement(c, e.hint)
		c.relayed, c.seen = e.leg, append(c.seen, el.String())
	}
	d.rethink(c)
}

// takeRelays takes what reached the others while the call had no owner: elements
// are entered, because a leg that talks now left the dialplan before; switches are
// returned, for when it is known who is on the call.
func (d *Desk) takeRelays(c *call, since time.Time, now scene) (switches []entry) {
	left := ""
	if on := now.dumps[c.holder()]; on != nil {
		left = on.Variable(relayedVariable)
	}
	for _, r := range d.relays[c.id] {
		switch {
		case !r.at.After(since): // its owner saw to it
		case r.entry.transferrer != "" && c.refuses(r.entry):
			switches = append(switches, r.entry)
		case r.entry.hint != "" && left == "":
			d.enterElement(c, r.entry.hint)
		}
	}
	d.catchUpRelays(c, now)
	delete(d.relays, c.id)
	return switches
}

// catchUpRelays enters what other instances have noted on the leg while nobody
// told us.
func (d *Desk) catchUpRelays(c *call, now scene) {
	on := now.dumps[c.holder()]
	if on == nil || on.Variable(relayedVariable) == "" {
		return
	}
	c.relayed, c.caughtUp = c.holder(), time.Now()
	seen := slices.Clone(c.seen)
	for element := range strings.SplitSeq(on.Variable(relayedVariable), ",") {
		if i := slices.Index(seen, element); i >= 0 {
			seen = slices.Delete(seen, i, i+1)
			continue
		}
		d.enterElement(c, element)
		c.seen = append(c.seen, element)
	}
}

// forgetRelays forgets those of calls that nobody took.
func (d *Desk) forgetRelays(now time.Time) {
	for id, entered := range d.relays {
		if now.Sub(entered[len(entered)-1].at) > relayedLife {
			delete(d.relays, id)
		}
	}
}
