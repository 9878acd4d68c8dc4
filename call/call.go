package call

import (
	"log/slog"
	"slices"
	"time"

	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// call is one call from the socket to the closed file. The Desk's loop owns it.
type call struct {
	id        string
	on        string // the switch that has it; "" if no watch link has said so yet
	core      string // UUID of its FreeSWITCH
	org       *flow.Organisation
	direction flow.Direction
	first     string // the leg that reached the socket
	anchor    string // the leg that is recorded; "" until an outgoing call is answered
	external  string // the outside party's number; "" of an internal call
	path      string // of its last file, whether or not there is one yet
	parts     []*part
	began     time.Time
	answered  time.Time // the recorded leg was; zero: not yet
	ended     time.Time
	relayed   string    // leg whose relayedVariable was seen to, and still says so; "" if none
	seen      []string  // elements that it says, and that are entered
	caughtUp  time.Time // when it was read last, because the news may have been lost
	yielded   bool      // to another instance: nothing is sent for it any more
	lost      bool      // its end was not seen
	fading    bool      // its first leg is gone, and whether anybody has answered is not known yet
	log       *slog.Logger

	passed     []passing       // the elements, in order; users with their leg
	fresh      bool            // one with an explicit setting was entered, and toggle does not know it yet
	away       flow.Element    // the user who left last, until another one comes
	ringing    map[string]bool // legs that FreeSWITCH is dialling for this call
	peer       string          // the leg that the anchor is bridged with; "" if none
	talked     []string        // the users who have been on the call, in order
	rec        toggle.State
	pressing   string // leg whose code was taken, and FreeSWITCH does not know it yet; "" if none
	unclear    string // the same, of which FreeSWITCH was told and has not confirmed it
	switched   press  // the switch that was obeyed last
	switchedAt time.Time
	wished     time.Time // since when what is to be written is what it is
	touched    time.Time // since when it is not certain what the file holds; zero: it is
	token      int64     // of our ownership among several instances
	serial     int64     // of what liveVariable says
	said       spoken    // what it was set to last
	long       bool      // it was too long once, and the log has been told
	kept       kept      // what was written down last
	told       told      // what was said of the recording last
	telling    bool      // it is on its way
	errands    []errand  // on the watch link; the first is on its way
	starting   bool      // RECORD_START has come, what the answer runs besides is not done yet
	presses    []press   // obeyed, and the user has not heard yet what came of it
	stands     standing  // what people had switched before them
	trace      []recording.Note
	counted    toggle.File // as what the call is counted among the recordings
	lit        lamps       // what the users' lamps show of the call
	disclaim   disclaiming
	retry      *time.Timer   // runs while speech may be written that must not be
	resume     *time.Timer   // runs from a pause to its end by itself
	overdue    *time.Timer   // runs from the answer until the recording is under way
	again      *time.Timer   // runs while a recording is wanted and there is none
	wait       time.Duration // before the next attempt
	why        string        // FreeSWITCH's word on what it refused last
}

// passing is one step of the chain. leg is the phone of a user who is on the
// call; "" for every other element, and for a user whom the dialplan announced
// and who is not on the call yet.
type passing struct {
	flow.Step
	leg string
}

// step is an element with its setting for this call. One that the policy does
// not know says nothing.
func (c *call) step(e flow.Element) flow.Step {
	if in, ok := c.org.Chain(e); ok {
		return in.Step(c.direction)
	}
	return flow.Step{Element: e}
}

// passes adds an element to the chain (design.md section 2, rules 3 and 4). An
// outgoing call shows one number: a later one takes the earlier one's place.
func (c *call) passes(e flow.Element, leg string) {
	if e.Kind == flow.Number && c.direction == flow.Outbound {
		c.drop(func(p passing) bool { return p.Element.Kind == flow.Number })
	}
	if n := len(c.passed); n > 0 && c.passed[n-1].Element == e && c.passed[n-1].leg == leg {
		return
	}
	step := c.step(e)
	c.passed = folded(append(c.passed, passing{step, leg}))
	c.fresh = c.fresh || step.Setting != flow.DontCare
	c.note(recording.Note{What: "entered", Element: e.String(), Setting: step.Setting.String()})
}

// folded is a chain without those earlier repeats of its last step that change
// nothing (design.md section 2, rules 1 and 2), so that a caller who goes round in
// an IVR does not make it longer and longer. The last of equal steps counts, and,
// of a yes or no under "precedence: first", the first. Equal steps leave the chain
// together.
func folded(passed []passing) []passing {
	last := len(passed) - 1
	step := passed[last]
	from := slices.Index(passed, step)
	if step.Setting == flow.Yes || step.Setting == flow.No {
		from++
	}
	if from >= last {
		return passed
	}
	between := slices.DeleteFunc(passed[from:last], func(p passing) bool { return p == step })
	return append(passed[:from+len(between)], step)
}

func (c *call) drop(which func(passing) bool) { c.passed = slices.DeleteFunc(c.passed, which) }

// joins makes a leg the one that talks to the anchor: its user comes, and every
// user before goes, but not the anchor's own (an internal call's caller).
func (c *call) joins(uuid string, l *leg) {
	c.peer = uuid
	clear(c.ringing)
	if !l.is(c.org.ID) {
		c.drop(func(p passing) bool { return p.Element.Kind == flow.User && p.leg != c.anchor })
		return
	}
	user := flow.Element{Kind: flow.User, ID: l.user}
	if !slices.Contains(c.talked, l.user) {
		c.talked = append(c.talked, l.user)
	}
	for i, p := range c.passed {
		if p.Element == user && p.leg == "" { // announced by the dialplan
			c.passed[i].leg = uuid
		}
	}
	c.drop(func(p passing) bool { return p.Element.Kind == flow.User && p.leg != c.anchor && p.leg != uuid })
	if !slices.ContainsFunc(c.passed, func(p passing) bool { return p.leg == uuid }) {
		before := c.fresh
		c.passes(user, uuid)
		if user == c.away { // back from a hold, or from a transfer that was refused: nothing new
			c.fresh = before
		}
	}
	c.away = flow.Element{}
}

// leaves takes a leg and its user off the call.
func (c *call) leaves(uuid string) {
	delete(c.ringing, uuid)
	if c.peer == uuid {
		c.peer = ""
	}
	if uuid == c.anchor || uuid == "" {
		return
	}
	c.drop(func(p passing) bool {
		if p.leg == uuid {
			c.away = p.Element
			c.note(recording.Note{What: "left", Element: p.Element.String()})
		}
		return p.leg == uuid
	})
}

// chain is the elements as the rules see them.
func (c *call) chain() flow.Chain {
	chain := make(flow.Chain, len(c.passed))
	for i, p := range c.passed {
		chain[i] = p.Step
	}
	return chain
}

// effective is what the chain says; for an organisation without recording it
// says nothing (design.md section 2, rule 5).
func (c *call) effective() flow.Effective {
	if !c.org.Recording {
		return flow.Effective{}
	}
	return flow.Resolve(c.org.Precedence, c.chain())
}

// chained is what the chain says now, for toggle. Fresh: an element with an
// explicit setting was entered since the last time.
func (c *call) chained(legs map[string]*leg) toggle.Fact {
	e := c.effective()
	f := toggle.Fact{What: toggle.Chain, On: e.On, Guard: e.CouldEnd(c.org.Precedence, c.coming(legs)),
		Fresh: c.fresh, Sticky: c.org.OnDemand.StickyPause}
	c.fresh = false
	return f
}

// coming is the settings of the users who may be about to talk: before the
// answer of a call to the organisation anybody, later the users whose phones
// ring, and anybody again when the anchor talks to a leg that nobody knows.
func (c *call) coming(legs map[string]*leg) flow.SettingSet {
	anybody := c.org.Unknown(flow.Element{}).Ahead[c.direction]
	if !c.rec.Answered && c.direction != flow.Outbound {
		return anybody
	}
	if c.peer != "" && legs[c.peer] == nil {
		return anybody
	}
	var set flow.SettingSet
	for uuid := range c.ringing {
		if l := legs[uuid]; l.is(c.org.ID) {
			set.Add(c.step(flow.Element{Kind: flow.User, ID: l.user}).Setting)
		}
	}
	return set
}

// dialled are the legs of which one may become an outgoing call's recorded one.
func (c *call) dialled() map[string]bool {
	if c.direction != flow.Outbound || c.anchor != "" {
		return nil
	}
	return c.ringing
}

// users are the users on the call, in order.
func (c *call) users() []string {
	var users []string
	for _, p := range c.passed {
		if p.Element.Kind == flow.User && p.leg != "" {
			users = append(users, p.Element.ID)
		}
	}
	return users
}

// has reports whether a leg in the dialplan is still on this call: the recorded
// one is, and the first as long as there is no other. An outgoing call's first
// leg is back when the outside party has hung up, which the watch link may tell
// later than the socket.
func (c *call) has(uuid string) bool {
	return uuid == c.anchor || c.anchor == "" && uuid == c.first
}

// maxTrace bounds the trace of a call.
const maxTrace = 500

// note adds a line to the call's trace.
func (c *call) note(n recording.Note) {
	if len(c.trace) >= maxTrace {
		return
	}
	n.At = time.Now().UTC()
	c.trace = append(c.trace, n)
}
