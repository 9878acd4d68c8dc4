package call

import (
	"cmp"
	"path"
	"strings"

	"tapedeck/call/confirm"
	"tapedeck/call/handover"
	"tapedeck/call/who"
	"tapedeck/flow"
	"tapedeck/internal/tidy"
	"tapedeck/toggle"
)

// entry is the channel data of a leg that reached the socket, as Tapedeck reads it
// (docs/design.md, section 3, step 1).
type entry struct {
	leg           string // UUID of the leg
	core          string // UUID of its FreeSWITCH
	call          string // the call that it already belongs to; "" if none
	answered      bool
	dialledLeg    bool               // FreeSWITCH dialled it
	org           *flow.Organisation // nil if no organisation was found
	direction     flow.Direction
	domain        string         // SIP domain of the leg
	user          string         // id of the leg's user in org; "" if it is nobody's phone
	transferrer   string         // the user's leg that transfers this one and waits for the result of its REFER; "" if none
	firstElements []flow.Element // the elements that a new call begins with
	dialled       string         // the destination number
	toggles       bool           // the dialplan says that this transfer is a press
	external      string         // the outside party's number, as it came
	secondSDP     bool           // phones would be offered the caller's own SDP, too
	begun         int            // how many calls have begun on the leg; 0 if the channel data does not say
	standing      confirm.Standing
	fromDialplan
	fromTapedeck
	unowned who.Unowned // what was looked up, if no organisation was found
}

// hasSDP reports whether one of the parts of an INVITE may be an SDP. Parts may have parts,
// and FreeSWITCH writes a body that begins with a tilde as header lines (sofia_media.c,
// process_mp).
func hasSDP(parts string) bool {
	parts = strings.ToLower(parts)
	return strings.Contains(parts, "application/sdp") || strings.Contains(parts, "multipart/") || strings.Contains(parts, ":~")
}

// fromTapedeck is what a Tapedeck has set on the leg.
type fromTapedeck struct {
	snapshot string    // the snapshot that the call's owner left; "" if none
	relayed  string    // elements that the leg entered at other instances and that no owner has entered yet
	file     string    // the first file of the call that began on the leg; "" if none
	armed    [3]string // what the leg's answer runs, or that of the legs that it dials (onAnswer)
}

// fromDialplan is what the dialplan has set on the leg, as it wrote it.
type fromDialplan struct {
	hint       string // the element that it named; "" if none
	unreadable string // name of a variable that could not be read; "" if none
	metaKey    string // the key that begins the codes of bind_meta_app; "" if it has not said
}

// snapshotOf is the snapshot of the call that the leg has.
func snapshotOf(e entry) (handover.Snapshot, error) {
	s, err := handover.Read(e.snapshot)
	if err == nil && e.dialledLeg && e.answered {
		s = s.AnsweredOn(e.leg)
	}
	return s, err
}

// readEntry reads the channel data. It trusts only names that the policy knows.
func readEntry(p *flow.Policy, data channelData) entry {
	e := entry{
		leg:         data.Get("Unique-ID"),
		core:        data.Get("Core-UUID"),
		call:        data.Variable("tapedeck_call"),
		dialled:     data.Get("Caller-Destination-Number"),
		transferrer: data.Variable("blind_transfer_uuid"),
		toggles:     data.Variable("tapedeck_toggle") == string(toggle.BlindTransfer),
		answered:    data.Get("Answer-State") == "answered",
		dialledLeg:  who.IsDialled(data),
	}
	for i, name := range onAnswer {
		e.armed[i] = cmp.Or(data.Variable(name), data.Variable("nolocal:"+name))
	}
	e.hint, e.metaKey = data.Variable("tapedeck_element"), data.Variable("bind_meta_key")
	e.snapshot, e.relayed, e.file = data.Variable(handover.Variable), data.Variable(handover.RelayedVariable), data.Variable("tapedeck_file")
	if e.file != "" { // without a file, tapedeck_call only says that Tapedeck was asked
		// a call that began on the leg and has dissolved left only its file's name
		e.begun = max(begunBy(e.leg, e.call), begunBy(e.leg, strings.TrimSuffix(path.Base(e.file), ".wav")))
	}
	e.org, e.user, e.domain = who.Of(p, data)
	e.secondSDP = e.user == "" && hasSDP(data.Variable("sip_multipart")) // a user's parts may say where an emergency is
	number := e.readParties(p, data)
	if e.org == nil {
		e.unowned = who.LookedUp(p, data)
		return e
	}
	e.external = externalOf(p, data, e.direction)
	switch {
	case e.direction == flow.Inbound:
		e.user = ""
		e.passes(flow.Number, number)
	case e.direction == flow.Outbound:
		e.passes(flow.User, e.user)
		e.passes(flow.Number, outgoingNumber(p, e.org, data))
	default:
		e.passes(flow.User, e.user)
	}
	return e
}

// externalOf is the outside party's number, as E.164 if it can be read as such.
func externalOf(p *flow.Policy, data channelData, direction flow.Direction) string {
	number := ""
	switch direction {
	case flow.Inbound:
		number = data.Get("Caller-Caller-ID-Number")
	case flow.Outbound:
		number = data.Get("Caller-Destination-Number")
	}
	if e164, ok := p.Normalise(number); ok {
		return e164
	}
	return tidy.Text(number, maxExternal)
}

// maxExternal is the greatest length, in bytes, of an outside party's number that is
// not E.164.
const maxExternal = 64

// passes adds an element to those that a new call begins with, if it has an id.
func (e *entry) passes(k flow.Kind, id string) {
	if id != "" {
		e.firstElements = append(e.firstElements, flow.Element{Kind: k, ID: id})
	}
}

// readParties finds the organisation and the direction. It returns the dialled
// number if that is one of the organisation's, otherwise "".
func (e *entry) readParties(p *flow.Policy, data channelData) (number string) {
	hinted, isHinted := p.Organisations[data.Variable("tapedeck_org")]
	direction, err := flow.ParseDirection(data.Variable("tapedeck_direction"))
	if err != nil && data.Variable("tapedeck_direction") != "" {
		e.unreadable = "tapedeck_direction"
	}
	owner, number := dialledNumber(p, data)
	switch {
	case err == nil:
		e.direction = direction
	case e.user == "":
		e.direction = flow.Inbound
	default:
		e.direction = directionOf(e.org, owner, data.Get("Caller-Destination-Number"))
	}
	if named, e164, ok := p.FindNumber(data.Variable("tapedeck_number")); ok { // on an outgoing call: the number that it shows
		owner, number = named, e164
	}
	switch {
	case isHinted:
		e.org = hinted
	case e.direction == flow.Inbound && owner != nil:
		e.org = owner
	}
	if owner != e.org {
		number = ""
	}
	return number
}

// directionOf tells a user's outgoing call from an internal one. Calls to the
// organisation's own users and numbers, and to anything too short for a telephone
// number, are internal. A dialled number may have a prefix for the outside line.
func directionOf(own, owner *flow.Organisation, dialled string) flow.Direction {
	if _, _, isUser := own.FindUser(dialled); isUser || owner == own {
		return flow.Internal
	}
	if digits := strings.TrimPrefix(dialled, "+"); len(digits) >= who.ShortestNumber && strings.Trim(digits, "0123456789") == "" {
		return flow.Outbound
	}
	return flow.Internal
}

// dialledNumber finds the dialled number and its organisation. If the dialplan has
// changed the destination, the number is still in the SIP request; its To counts only
// from a caller whom FreeSWITCH knows.
func dialledNumber(p *flow.Policy, data channelData) (*flow.Organisation, string) {
	for _, dialled := range []string{data.Get("Caller-Destination-Number"), data.Variable("sip_req_user"), who.OwnWord(data, "sip_to_user")} {
		if org, e164, ok := p.FindNumber(dialled); ok {
			return org, e164
		}
	}
	return nil, ""
}

// outgoingNumber is the number that an outgoing call shows, if it is the
// organisation's; otherwise "".
func outgoingNumber(p *flow.Policy, org *flow.Organisation, data channelData) string {
	for _, name := range []string{"tapedeck_number", "effective_caller_id_number", "outbound_caller_id_number"} {
		if shown := data.Variable(name); shown != "" {
			if owner, e164, ok := p.FindNumber(shown); ok && owner == org {
				return e164
			}
			return ""
		}
	}
	return ""
}

// readElement reads an element as the dialplan wrote it. A user may be named by
// extension and a number in any form; both are looked up in the call's organisation.
func readElement(p *flow.Policy, org *flow.Organisation, hint string) (flow.Element, error) {
	el, err := flow.ParseElement(hint)
	switch {
	case err != nil:
	case el.Kind == flow.Number:
		if owner, e164, ok := p.FindNumber(el.ID); ok && owner == org {
			el.ID = e164
		}
	case el.Kind == flow.User:
		if id, _, ok := org.FindUser(el.ID); ok {
			el.ID = id
		}
	}
	return el, err
}
