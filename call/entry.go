package call

import (
	"cmp"
	"strings"

	"tapedeck/call/handover"
	"tapedeck/flow"
	"tapedeck/internal/tidy"
	"tapedeck/toggle"
)

// entry is what the channel data of a leg that reached the socket says
// (docs/design.md, section 3, step 1).
type entry struct {
	leg           string // UUID of the leg
	core          string // UUID of its FreeSWITCH
	call          string // the call that it already belongs to; "" if none
	answered      bool
	dialledLeg    bool               // FreeSWITCH dialled it
	org           *flow.Organisation // nil: nobody's
	direction     flow.Direction
	domain        string         // SIP domain of the leg
	user          string         // id of the leg's user in org; "" if it is nobody's phone
	transferrer   string         // the user's leg that sends this one on by a REFER which waits for its result; "" if none
	firstElements []flow.Element // what a new call has passed already
	hint          string         // the element that the dialplan entered, as it wrote it; "" if none
	dialled       string         // the number that it is on its way to
	toggles       bool           // the dialplan says that this is a switch, not a transfer
	snapshot      string         // what a Tapedeck that follows the call has left on the leg; "" if none
	relayed       string         // elements that were entered elsewhere, and that no owner has seen to
	external      string         // the outside party's number, as it came
	begun         int            // how many calls have begun on it, as far as is known
	unreadable    string         // a variable that could not be read; "" if none
}

// readEntry reads the channel data. Nothing in it is trusted further than the
// policy knows it.
func readEntry(p *flow.Policy, data channelData) entry {
	e := entry{
		leg:         data.Get("Unique-ID"),
		core:        data.Get("Core-UUID"),
		call:        data.Variable("tapedeck_call"),
		domain:      domainOf(data),
		hint:        data.Variable("tapedeck_element"),
		dialled:     data.Get("Caller-Destination-Number"),
		transferrer: data.Variable("blind_transfer_uuid"),
		toggles:     data.Variable("tapedeck_toggle") == string(toggle.BlindTransfer),
		snapshot:    data.Variable(handover.Variable),
		relayed:     data.Variable(handover.RelayedVariable),
		answered:    data.Get("Answer-State") == "answered",
		dialledLeg:  isDialled(data),
	}
	if data.Variable("tapedeck_file") != "" { // without one, tapedeck_call only says that Tapedeck was asked
		e.begun = begunBy(e.leg, e.call)
	}
	e.org, e.user = userOf(p, data)
	number := e.readParties(p, data)
	if e.org == nil {
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

// externalOf is the outside party's number, as E.164 where it is one.
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

// maxExternal is how long a number may be that is none: 64 bytes.
const maxExternal = 64

func (e *entry) passes(k flow.Kind, id string) {
	if id != "" {
		e.firstElements = append(e.firstElements, flow.Element{Kind: k, ID: id})
	}
}

// readParties finds the organisation and the direction, and the dialled number
// if it is one of the organisation's.
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
	if named, e164, ok := p.FindNumber(data.Variable("tapedeck_number")); ok { // an outgoing call's is the one that it shows
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

// directionOf tells a user's outgoing call from an internal one: internal are
// the organisation's own users and numbers, and what is too short for a telephone
// number. A prefix for an outside line may stand before one.
func directionOf(own, owner *flow.Organisation, dialled string) flow.Direction {
	if _, _, isUser := own.FindUser(dialled); isUser || owner == own {
		return flow.Internal
	}
	if digits := strings.TrimPrefix(dialled, "+"); len(digits) >= shortestNumber && strings.Trim(digits, "0123456789") == "" {
		return flow.Outbound
	}
	return flow.Internal
}

// shortestNumber is the fewest digits that are taken for a telephone number;
// emergency numbers and the like are shorter, and are the dialplan's to name by
// tapedeck_direction.
const shortestNumber = 7

// userOf is the user whose phone a leg is, in the organisation that tapedeck_org
// or the leg's domain names: tapedeck_user, else the directory's dialed_user or
// user_name. Only a leg that FreeSWITCH dialled is told by dialed_user: a
// bridge copies it to the other leg.
func userOf(p *flow.Policy, data channelData) (*flow.Organisation, string) {
	org := organisationOf(p, data)
	if org == nil {
		return nil, ""
	}
	for _, name := range []string{"tapedeck_user", "dialed_user", "user_name"} {
		if name == "dialed_user" && !isDialled(data) {
			continue
		}
		if id, _, ok := org.FindUser(data.Variable(name)); ok {
			return org, id
		}
	}
	return org, ""
}

// isDialled reports whether FreeSWITCH made the leg: its phone was called.
func isDialled(data channelData) bool { return data.Get("Call-Direction") == "outbound" }

func organisationOf(p *flow.Policy, data channelData) *flow.Organisation {
	if org, ok := p.Organisations[data.Variable("tapedeck_org")]; ok {
		return org
	}
	org, _ := p.OrganisationByDomain(domainOf(data))
	return org
}

// domainOf is the SIP domain of a leg's user.
func domainOf(data channelData) string {
	return cmp.Or(data.Variable("dialed_domain"), data.Variable("domain_name"), data.Variable("sip_from_host"))
}

// dialledNumber is the organisation's number that was dialled. The dialplan may
// have changed the destination already: then the number is still in the request.
func dialledNumber(p *flow.Policy, data channelData) (*flow.Organisation, string) {
	for _, dialled := range []string{data.Get("Caller-Destination-Number"), data.Variable("sip_req_user"), data.Variable("sip_to_user")} {
		if org, e164, ok := p.FindNumber(dialled); ok {
			return org, e164
		}
	}
	return nil, ""
}

// outgoingNumber is the number that an outgoing call shows, if the organisation
// has it.
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

// readElement reads the element that the dialplan entered, in the call's
// organisation: users may be named by extension, numbers in any form.
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
