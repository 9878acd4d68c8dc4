package call

import (
	"cmp"
	"slices"
	"time"

	"tapedeck/flow"
	"tapedeck/recording"
	"tapedeck/toggle"
)

// route is the elements that a call has passed, and the legs on it. A
// transfer changes the peer, never the anchor (docs/design.md, section 1).
type route struct {
	org       *flow.Organisation
	direction flow.Direction
	first     string          // the leg that reached the socket
	anchor    string          // the leg that is recorded; "" until an outgoing call is answered
	peer      string          // the leg that the anchor is bridged with; "" if none
	ringing   map[string]bool // legs that FreeSWITCH is dialling for this call
	passed    []step
	fresh     bool         // an explicit setting was entered since the last wish
	lastLeft  flow.Element // the user who left last; no element once a user has joined
	talked    []string     // the users who have been on the call, in order
	room      gathering
	legs      *legs
	trace     *trace
}

// step is one element of the chain. leg is the phone of a user who is on the call.
// It is "" for every other element, and for a user whom the dialplan announced and
// who has not joined yet.
type step struct {
	flow.Step
	leg string
}

// setting is an element with its setting for this call's direction. An element that
// the policy does not have is dont-care.
func (r *route) setting(e flow.Element) flow.Step {
	if in, ok := r.org.Inheritance(e); ok {
		return in.Step(r.direction)
	}
	return flow.Step{Element: e}
}

// enter adds an element to the chain (docs/design.md, section 2, rules 3 and 4). An
// outgoing call shows one number: a later number replaces the earlier one.
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
	r.trace.add(recording.Note{What: recording.NoteEntered, Element: e.String(), Setting: set.Setting.String()}, now)
}

// folded removes earlier repeats of the chain's last step that do not change the
// result (docs/design.md, section 2, rules 1 and 2). So the chain of a caller who
// goes round in an IVR does not grow without end. Of equal steps the last one
// counts, and for a yes or no under "precedence: first" the first one, too. Equal
// steps leave the chain together.
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

// drop removes steps from the chain.
func (r *route) drop(which func(step) bool) { r.passed = slices.DeleteFunc(r.passed, which) }

// join notes that a leg talks to the anchor: its user joins the call, and every
// other user leaves it, except the user of the anchor itself (an internal call's
// caller).
func (r *route) join(uuid string, now time.Time) {
	r.peer = uuid
	clear(r.ringing)
	l := r.legs.get(uuid)
	if !l.is(r.org.ID) {
		r.drop(func(s step) bool { return s.Element.Kind == flow.User && s.leg != r.anchor })
		return
	}
	user := flow.Element{Kind: flow.User, ID: l.user.ID}
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
		if user == r.lastLeft { // back from a hold or a refused transfer: the setting is not new
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
			r.trace.add(recording.Note{What: recording.NoteLeft, Element: s.Element.String()}, now)
		}
		return s.leg == uuid
	})
}

// meet notes that the anchor now talks to this leg ("": to nobody) and no longer
// to its previous peer.
func (r *route) meet(peer string, now time.Time) {
	if peer == r.peer {
		return
	}
	r.leave(r.peer, now)
	if peer != "" {
		r.join(peer, now)
	}
}

// chain is the chain as package flow takes it.
func (r *route) chain() flow.Chain {
	chain := make(flow.Chain, len(r.passed))
	for i, s := range r.passed {
		chain[i] = s.Step
	}
	return chain
}

// effective is what the chain says. An organisation without recording has no
// effective state (docs/design.md, section 2, rule 5).
func (r *route) effective() flow.Effective {
	if !r.org.Recording {
		return flow.Effective{}
	}
	return flow.Resolve(r.org.Precedence, r.chain())
}

// wish is the fact for toggle that says what the chain wants now. Fresh is set if an
// explicit setting was entered since the last call of wish.
func (r *route) wish(answered bool) toggle.Fact {
	if r.room.guest {
		return toggle.Fact{What: toggle.Chain}
	}
	e := r.effective()
	f := toggle.Fact{What: toggle.Chain, On: e.On, Guard: e.CouldEnd(r.org.Precedence, r.coming(answered)),
		Fresh: r.fresh, Sticky: r.org.OnDemand.StickyPause || r.room.id != ""}
	r.fresh = false
	return f
}

// coming is the set of settings that may join the call. Before the answer of an
// inbound or internal call, and while the anchor talks to an unknown leg, that is
// the setting of anybody; otherwise the settings of the users whose phones ring.
func (r *route) coming(answered bool) flow.SettingSet {
	anybody := r.org.Unknown(flow.Element{}).Ahead[r.direction]
	if !answered && r.direction != flow.Outbound {
		return anybody
	}
	if r.peer != "" && r.legs.get(r.peer).unsure() {
		return anybody
	}
	var set flow.SettingSet
	for uuid := range r.ringing {
		if l := r.legs.get(uuid); l.is(r.org.ID) {
			set.Add(r.setting(flow.Element{Kind: flow.User, ID: l.user.ID}).Setting)
		}
	}
	return set
}

// objector is the user who may join and whose setting keeps the recording silent
// until it is known who joins.
func (r *route) objector() (flow.Step, bool) {
	for uuid := range r.ringing {
		if l := r.legs.get(uuid); l.is(r.org.ID) {
			user := r.setting(flow.Element{Kind: flow.User, ID: l.user.ID})
			var set flow.SettingSet
			set.Add(user.Setting)
			if r.effective().CouldEnd(r.org.Precedence, set) {
				return user, true
			}
		}
	}
	return flow.Step{}, false
}

// decided is the effective state as a cause for the sidecar. If guarded is set, the
// cause is the user who may join and could end the recording.
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

// dialled are the legs of which one may become the anchor of an outgoing call; nil
// if the anchor is known.
func (r *route) dialled() map[string]bool {
	if !r.awaitsAnchor() {
		return nil
	}
	return r.ringing
}

// awaitsAnchor reports whether the anchor is not known yet: no answer of an outgoing
// call has been seen.
func (r *route) awaitsAnchor() bool { return r.direction == flow.Outbound && r.anchor == "" }

// onlyAnswered is the one ringing leg that is answered now; "" if there is none or
// more than one.
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

// users are the ids of the users on the call, in order.
func (r *route) users() []string {
	var users []string
	for _, s := range r.passed {
		if s.Element.Kind == flow.User && s.leg != "" {
			users = append(users, s.Element.ID)
		}
	}
	return users
}

// number is the organisation's number in the chain, as E.164; "" if there is none.
func (r *route) number() string {
	for _, s := range slices.Backward(r.passed) {
		if s.Element.Kind == flow.Number {
			return s.Element.ID
		}
	}
	return ""
}

// groups are the ids of the ring groups in the chain.
func (r *route) groups() []string {
	groups := []string{}
	for _, s := range r.passed {
		if s.Element.Kind == flow.RingGroup && !slices.Contains(groups, s.Element.ID) {
			groups = append(groups, s.Element.ID)
		}
	}
	return groups
}

// has reports whether a leg that is in the dialplan still belongs to this call: the
// anchor does, and the first leg does until there is an anchor. When the outside
// party of an outgoing call has hung up, the first leg may be back in the dialplan
// before its hangup event comes.
func (r *route) has(uuid string) bool {
	return uuid == r.anchor || r.anchor == "" && uuid == r.first
}

// holder is the leg that has the snapshot: the anchor, or the first leg until there
// is one.
func (r *route) holder() string { return cmp.Or(r.anchor, r.first) }

// notedOn are the legs on which elements of the call may be noted, in the order of their
// elements.
func (r *route) notedOn() []string {
	first, anchor := r.legs.get(r.first), r.legs.get(r.anchor)
	if first != nil && anchor != nil && first != anchor && first.call == anchor.call {
		return []string{r.first, r.anchor}
	}
	return []string{r.holder()}
}

// userPhone is the phone of the user on the call; "" if there is none. It is the
// anchor's peer, or on an internal call the anchor itself, or the phone of the user
// who came first into the anchor's conference room. Before the answer of an outgoing
// call it is the calling leg.
func (r *route) userPhone() string {
	for _, uuid := range append([]string{r.peer, r.holder()}, r.room.others...) {
		if r.legs.get(uuid).is(r.org.ID) {
			return uuid
		}
	}
	return ""
}

// keyPhones are the legs on the call whose Record keys count: the phones of the
// organisation's users, never the outside party's.
func (r *route) keyPhones() []string {
	var phones []string
	for _, uuid := range []string{r.anchor, r.peer} {
		if r.legs.get(uuid).is(r.org.ID) && (uuid != r.anchor || r.direction == flow.Internal) {
			phones = append(phones, uuid)
		}
	}
	return slices.Concat(phones, r.room.serves, r.listeners())
}

// userOn is the id of the organisation's user whose phone a leg is; "" if it is
// none's.
func (r *route) userOn(uuid string) string {
	if l := r.legs.get(uuid); l.is(r.org.ID) {
		return l.user.ID
	}
	return ""
}
