package call

import (
	"cmp"
	"slices"
	"time"

	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// route is the way of a call: the elements that it has passed, and the legs on it.
// A transfer changes the peer, never the anchor (docs/design.md, section 1).
type route struct {
	org       *flow.Organisation
	direction flow.Direction
	first     string          // the leg that reached the socket
	anchor    string          // the leg that is recorded; "" until an outgoing call is answered
	peer      string          // the leg that the anchor is bridged with; "" if none
	ringing   map[string]bool // legs that FreeSWITCH is dialling for this call
	passed    []step
	fresh     bool         // a step with an explicit setting was entered, and toggle does not know it yet
	lastLeft  flow.Element // the user who left last, until another one comes
	talked    []string     // the users who have been on the call, in order
	legs      *legs
	trace     *trace
}

// step is one element of the chain. leg is the phone of a user who is on the call;
// "" for every other element, and for a user whom the dialplan announced and who is
// not on the call yet.
type step struct {
	flow.Step
	leg string
}

// setting is an element with its setting for this call. An element that the policy
// does not know says nothing.
func (r *route) setting(e flow.Element) flow.Step {
	if in, ok := r.org.Chain(e); ok {
		return in.Step(r.direction)
	}
	return flow.Step{Element: e}
}

// enter adds an element to the chain (docs/design.md, section 2, rules 3 and 4). An
// outgoing call shows one number: a later one takes the earlier one's place.
func (r *route) enter(e flow.Element, leg string, now time.Time) {
	if e.Kind == flow.Number && r.direction == flow.Outbound {
		r.drop(func(s step) bool { return s.Element.Kind == flow.Number })
	}
	if n := len(r.passed); n > 0 && r.passed[n-1].Element == e && r.passed[n-1].leg == leg {
		return
	}
	set := r.setting(e)
	r.passed = folded(append(r.passed, step{set, leg}))
	r.fresh = r.fresh || set.Setting != flow.DontCare
	r.trace.add(recording.Note{What: "entered", Element: e.String(), Setting: set.Setting.String()}, now)
}

// folded is a chain without those earlier repeats of its last step that change
// nothing (docs/design.md, section 2, rules 1 and 2), so that a caller who goes
// round in an IVR does not make it longer and longer. The last of equal steps
// counts and, of a yes or no under "precedence: first", the first. Equal steps
// leave the chain together.
func folded(passed []step) []step {
	last := len(passed) - 1
	end := passed[last]
	from := slices.Index(passed, end)
	if end.Setting == flow.Yes || end.Setting == flow.No {
		from++
	}
	if from >= last {
		return passed
	}
	between := slices.DeleteFunc(passed[from:last], func(s step) bool { return s == end })
	return append(passed[:from+len(between)], end)
}

func (r *route) drop(which func(step) bool) { r.passed = slices.DeleteFunc(r.passed, which) }

// join makes a leg the one that talks to the anchor: its user comes, and every user
// before goes, but not the anchor's own (an internal call's caller).
func (r *route) join(uuid string, now time.Time) {
	r.peer = uuid
	clear(r.ringing)
	l := r.legs.get(uuid)
	if !l.is(r.org.ID) {
		r.drop(func(s step) bool { return s.Element.Kind == flow.User && s.leg != r.anchor })
		return
	}
	user := flow.Element{Kind: flow.User, ID: l.user.id}
	if !slices.Contains(r.talked, user.ID) {
		r.talked = append(r.talked, user.ID)
	}
	for i, s := range r.passed {
		if s.Element == user && s.leg == "" { // announced by the dialplan
			r.passed[i].leg = uuid
		}
	}
	r.drop(func(s step) bool { return s.Element.Kind == flow.User && s.leg != r.anchor && s.leg != uuid })
	if !slices.ContainsFunc(r.passed, func(s step) bool { return s.leg == uuid }) {
		before := r.fresh
		r.enter(user, uuid, now)
		if user == r.lastLeft { // back from a hold, or from a transfer that was refused: nothing new
			r.fresh = before
		}
	}
	r.lastLeft = flow.Element{}
}

// leave takes a leg and its user off the call.
func (r *route) leave(uuid string, now time.Time) {
	delete(r.ringing, uuid)
	if r.peer == uuid {
		r.peer = ""
	}
	if uuid == r.anchor || uuid == "" {
		return
	}
	r.drop(func(s step) bool {
		if s.leg == uuid {
			r.lastLeft = s.Element
			r.trace.add(recording.Note{What: "left", Element: s.Element.String()}, now)
		}
		return s.leg == uuid
	})
}

// meet takes it that the anchor talks to this leg ("": to none), whoever it talked
// to before.
func (r *route) meet(peer string, now time.Time) {
	if peer == r.peer {
		return
	}
	r.leave(r.peer, now)
	if peer != "" {
		r.join(peer, now)
	}
}

// chain is the elements as the rules see them.
func (r *route) chain() flow.Chain {
	chain := make(flow.Chain, len(r.passed))
	for i, s := range r.passed {
		chain[i] = s.Step
	}
	return chain
}

// effective is what the chain says; for an organisation without recording it says
// nothing (docs/design.md, section 2, rule 5).
func (r *route) effective() flow.Effective {
	if !r.org.Recording {
		return flow.Effective{}
	}
	return flow.Resolve(r.org.Precedence, r.chain())
}

// wish is what the chain says now, for toggle. Fresh: an element with an explicit
// setting was entered since the last time.
func (r *route) wish(answered bool) toggle.Fact {
	e := r.effective()
	f := toggle.Fact{What: toggle.Chain, On: e.On, Guard: e.CouldEnd(r.org.Precedence, r.coming(answered)),
		Fresh: r.fresh, Sticky: r.org.OnDemand.StickyPause}
	r.fresh = false
	return f
}

// coming is the settings of the users who may be about to talk: before the answer
// of a call to the organisation anybody, later the users whose phones ring, and
// anybody again when the anchor talks to a leg that nobody knows.
func (r *route) coming(answered bool) flow.SettingSet {
	anybody := r.org.Unknown(flow.Element{}).Ahead[r.direction]
	if !answered && r.direction != flow.Outbound {
		return anybody
	}
	if r.peer != "" && r.legs.get(r.peer) == nil {
		return anybody
	}
	var set flow.SettingSet
	for uuid := range r.ringing {
		if l := r.legs.get(uuid); l.is(r.org.ID) {
			set.Add(r.setting(flow.Element{Kind: flow.User, ID: l.user.id}).Setting)
		}
	}
	return set
}

// objector is the element that keeps a recording silent that is on: somebody who
// may join and does not want it.
func (r *route) objector() (flow.Step, bool) {
	for uuid := range r.ringing {
		if l := r.legs.get(uuid); l.is(r.org.ID) {
			user := r.setting(flow.Element{Kind: flow.User, ID: l.user.id})
			var set flow.SettingSet
			set.Add(user.Setting)
			if r.effective().CouldEnd(r.org.Precedence, set) {
				return user, true
			}
		}
	}
	return flow.Step{}, false
}

// decided is what the chain says, as a cause; guarded: somebody who may join could
// end the recording, so that it is silent.
func (r *route) decided(guarded bool) recording.Cause {
	if guarded {
		if user, ok := r.objector(); ok {
			return recording.Cause{Element: user.Element.String(), Setting: user.Setting.String()}
		}
		return recording.Cause{Setting: recording.Undecided}
	}
	e := r.effective()
	if e.Setting == flow.DontCare {
		return recording.Cause{}
	}
	return recording.Cause{Element: e.Decider.String(), Setting: e.Setting.String()}
}

// dialled are the legs of which one may become an outgoing call's anchor.
func (r *route) dialled() map[string]bool {
	if !r.awaitsAnchor() {
		return nil
	}
	return r.ringing
}

// awaitsAnchor reports whether it is not known yet which leg is recorded: nobody
// was seen to answer an outgoing call.
func (r *route) awaitsAnchor() bool { return r.direction == flow.Outbound && r.anchor == "" }

// onlyAnswered is the one leg that rang for the call and is answered now; "" if
// there is none, or more than one.
func (r *route) onlyAnswered(answered map[string]bool) string {
	only := ""
	for uuid := range r.ringing {
		switch {
		case !answered[uuid]:
		case only != "":
			return ""
		default:
			only = uuid
		}
	}
	return only
}

// users are the users on the call, in order.
func (r *route) users() []string {
	var users []string
	for _, s := range r.passed {
		if s.Element.Kind == flow.User && s.leg != "" {
			users = append(users, s.Element.ID)
		}
	}
	return users
}

// number is the organisation's number on the route, as E.164; "" if none.
func (r *route) number() string {
	for _, s := range slices.Backward(r.passed) {
		if s.Element.Kind == flow.Number {
			return s.Element.ID
		}
	}
	return ""
}

// groups are the ring groups on the route.
func (r *route) groups() []string {
	groups := []string{}
	for _, s := range r.passed {
		if s.Element.Kind == flow.RingGroup && !slices.Contains(groups, s.Element.ID) {
			groups = append(groups, s.Element.ID)
		}
	}
	return groups
}

// has reports whether a leg in the dialplan is still on this call: the recorded
// one is, and the first as long as there is no other. An outgoing call's first leg
// is back when the outside party has hung up, which the watch link may tell later
// than the socket.
func (r *route) has(uuid string) bool {
	return uuid == r.anchor || r.anchor == "" && uuid == r.first
}

// holder is the leg that the snapshot is kept on.
func (r *route) holder() string { return cmp.Or(r.anchor, r.first) }

// userPhone is the leg of the user on the call, "" if there is none: the one that
// talks to the anchor, or an internal call's anchor itself. Before the answer of an
// outgoing call it is the leg that calls.
func (r *route) userPhone() string {
	for _, uuid := range []string{r.peer, r.holder()} {
		if r.legs.get(uuid).is(r.org.ID) {
			return uuid
		}
	}
	return ""
}

// keyPhones are the legs on the call whose keys count: those of the organisation's
// users, but not the outside party.
func (r *route) keyPhones() []string {
	var phones []string
	for _, uuid := range []string{r.anchor, r.peer} {
		if r.legs.get(uuid).is(r.org.ID) && (uuid != r.anchor || r.direction == flow.Internal) {
			phones = append(phones, uuid)
		}
	}
	return phones
}

// userOn is the user of the call's organisation whose phone a leg is; "" if none.
func (r *route) userOn(uuid string) string {
	if l := r.legs.get(uuid); l.is(r.org.ID) {
		return l.user.id
	}
	return ""
}
