package call

import (
	"slices"
	"time"

	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// adopt takes a call over that another Tapedeck, or an earlier one, followed: k
// is what that one left on the recorded leg, history what it wrote down of the
// files. nil if the policy has its organisation no more.
func (d *Desk) adopt(k control, token int64, history []recording.Sidecar, now scene) *call {
	org := d.cfg.Policy().Organisations[k.Organisation]
	if org == nil {
		d.cfg.Meter.Adopted("failed")
		d.cfg.Log.Warn("call not taken over: the policy does not have its organisation", "call", k.Call)
		return nil
	}
	c := &call{
		id: k.Call, on: k.Switch, org: org, direction: k.Direction, first: k.First, anchor: k.Anchor, external: k.External,
		began: k.Began, answered: k.Answered, token: token, serial: k.Serial, wished: k.At, touched: k.At, ringing: map[string]bool{},
		switchedAt: k.Pressed, switched: k.press(), disclaim: disclaiming{begun: k.Disclaimed, peer: k.Disclaimed, plays: map[string]string{}},
	}
	c.log = d.cfg.Log.With("call", c.id, "organisation", c.org.ID)
	for len(c.parts) < k.Part {
		if err := d.addPart(c); err != nil {
			d.cfg.Meter.Adopted("failed")
			c.log.Warn("call not taken over", "error", err)
			return nil
		}
	}
	c.recall(k, history)
	switches := d.takeRelays(c, k.Changed, now)
	d.seat(c, k, now)
	d.calls[c.id] = c
	c.note(recording.Note{What: "adopted"})
	c.log.Info("call taken over", "owner", k.Owner, "token", token, "state", c.rec.Status(), "file", c.rec.File.String())
	d.cfg.Meter.Adopted("adopted")
	d.announce(c)
	c.foresee(k.At)
	before := c.rec
	before.File = k.File
	d.follow(c, before)
	d.catchUp(c, now)
	for _, e := range switches {
		d.pressedByTransfer(c, e)
	}
	d.keepResume(c)
	time.AfterFunc(againAfter, func() { d.post(func() { d.insist(c) }) })
	return c
}

// againAfter is when a call that was taken over is told again how it stands: an
// owner that was only slow may have said something else before it yielded.
const againAfter = 500 * time.Millisecond

// insist looks what else the owner before may have said, and says again what
// FreeSWITCH was told, as if it were in doubt.
func (d *Desk) insist(c *call) {
	if d.calls[c.id] != c || c.rec.Gone {
		return
	}
	d.overLink(c, []esl.Command{esl.API("uuid_getvar", c.holder(), liveVariable)}, func(replies []esl.Reply, err error) {
		if err == nil {
			d.heed(c, replies[0].Text())
		}
		d.sayAgain(c)
	})
}

func (d *Desk) sayAgain(c *call) {
	if d.calls[c.id] != c || c.rec.Gone {
		return
	}
	c.said = spoken{}
	if c.rec.Pending == toggle.None && (c.rec.File == toggle.Recording || c.rec.File == toggle.Masked) {
		c.rec = c.rec.Adopted(true, true)
	}
	d.rethink(c)
	d.remember(c)
}

// recall takes what was written down: the state, the chain and the files.
func (c *call) recall(k control, history []recording.Sidecar) {
	for _, p := range k.Passed {
		if el, err := flow.ParseElement(p.Element); err == nil {
			c.passed = append(c.passed, passing{flow.Step{Element: el, Setting: p.Setting}, p.Leg})
		}
	}
	c.away, _ = flow.ParseElement(k.Away)
	for _, s := range history {
		n := max(1, s.Part)
		if n > len(c.parts) {
			continue
		}
		c.parts[n-1].recall(s)
		if len(s.Trace) > len(c.trace) {
			c.trace = slices.Clone(s.Trace)
		}
		if len(s.Users) > len(c.talked) {
			c.talked = slices.Clone(s.Users)
		}
	}
	p := c.file()
	if p.began.IsZero() {
		p.began = k.PartBegan
	}
	p.told = k.PartTold
	if p.origin.trigger == "" {
		p.origin = origin{k.Trigger, k.By, k.Decided}
	}
	c.rec = toggle.State{On: k.On, Guard: k.Guard, Person: k.Person, Answered: !k.Answered.IsZero(), File: k.File,
		Begun: k.File >= toggle.Open, Doomed: k.Doomed, Problems: k.Problems}
}

// foresee notes what the file should hold since a time, if what was written down
// of it says otherwise: the command was on its way, and may have been carried out.
func (c *call) foresee(since time.Time) {
	p, state := c.file(), spanPaused
	if c.rec.Wish() == toggle.Speech {
		state = spanRecording
	}
	n := len(p.edges)
	if c.rec.File != toggle.Open || n == 0 || p.edges[n-1].state == state || since.Before(p.edges[n-1].at) {
		return
	}
	p.edges = append(p.edges, edge{at: time.Now(), since: since, state: state, cause: c.cause(nil)})
}

// recall takes what was written down of a file.
func (p *part) recall(s recording.Sidecar) {
	p.faults = slices.Clone(s.Problems)
	p.origin = origin{s.Trigger, s.RequestedBy, s.Decided}
	if s.File == nil {
		return
	}
	p.began, p.stopped, p.told = s.File.Began, s.File.Stopped, !s.File.Concluded
	for _, span := range s.Spans {
		at := p.began.Add(time.Duration(span.FromMS) * time.Millisecond)
		p.edges = append(p.edges, edge{at, at.Add(-time.Duration(span.SlackMS) * time.Millisecond), span.State, span.Cause})
	}
}

// seat finds out who is on the call now, and how its file stands.
func (d *Desk) seat(c *call, k control, now scene) {
	before := c.rec.Problems
	c.rec = c.rec.Adopted(now.live[c.anchor], d.writes(c, now))
	for _, problem := range (c.rec.Problems &^ before).Names() {
		d.fault(c, c.file(), problem, "found when the call was taken over")
	}
	if c.rec.Answered && c.answered.IsZero() {
		c.answered = time.Now()
	}
	for _, uuid := range []string{c.first, c.anchor} {
		if l := d.legs[uuid]; l != nil {
			l.call = c.id
		}
	}
	for uuid, l := range d.legs {
		if l.call == c.id && l.dialed && uuid != c.anchor && now.live.has(uuid) && !now.live[uuid] {
			c.ringing[uuid] = true
		}
	}
	c.peer = k.Peer
	switch peer, bridged := now.peers[c.anchor]; {
	case bridged && peer != c.peer:
		c.leaves(c.peer)
		c.joins(peer, d.legs[peer])
	case !bridged && c.peer != "":
		c.leaves(c.peer)
	}
}

// writes reports whether FreeSWITCH writes the call's file. What is not known is
// taken for what was told last.
func (d *Desk) writes(c *call, now scene) bool {
	yes, known := now.runs(c.anchor, c.path)
	return yes || !known && c.rec.File >= toggle.Open && c.rec.File < toggle.Closed
}
