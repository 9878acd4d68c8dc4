package call

import (
	"strings"
	"time"

	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/internal/tidy"
	"tapedeck/recording"
)

// lookup is how far it is known whose phone a dialled leg is.
type lookup struct {
	asking bool   // FreeSWITCH is being asked; until it answers, the leg may be anybody's
	found  string // what names the user, for the log; "" if nothing does
	domain string // the leg's SIP domain, for the log
	told   bool   // the log has told that nobody is known to have answered, or it need not
}

// answerers finds out whose phones the dialled legs are.
type answerers struct{ ctl *Controller }

// ask asks FreeSWITCH for the user of a dialled leg that no variable
// names: a dial string of sofia_contact alone is only the contact of a registered
// phone. A leg through a gateway leads out, and so does the one that an outgoing call
// dials: they are not asked for.
func (as answerers) ask(l *leg, data channelData, now time.Time) {
	ctl := as.ctl
	if c := ctl.calls[l.call]; !l.dialled || c != nil && c.route.awaitsAnchor() {
		l.lookup.told = true
		return
	}
	names, named := namesOn(data)
	l.lookup = lookup{found: names, domain: hostForLog(domainOf(data)), told: isNoPhone(data) && !named}
	contact, profile := data.Variable("sip_destination_url"), data.Variable("sip_profile_name")
	at := readAddress(contact)
	if named || l.lookup.told || !isPlain(at.user) && !isNumber(at.user) || !isPlain(at.host) || !isPlain(profile) {
		return
	}
	l.lookup.asking = true
	l.lookup.found = strings.TrimPrefix(names+" registration", " ")
	part := at.user + "@" + at.host // FreeSWITCH searches for contacts with it
	if isNumber(at.user) {          // perhaps an outside party's: it goes into no command
		part = at.host
	}
	ask := esl.API("sofia", "xmlstatus", "profile", profile, "reg", part)
	ctl.send(l.switchName, []esl.Command{ask}, func(replies []esl.Reply, err error, now time.Time) {
		var phones []esl.Registration
		if err == nil {
			phones, err = esl.ReadRegistrations(replies[0].Text())
		}
		var whose user
		if err == nil {
			var nobody bool
			whose, nobody = registeredAs(ctl.cfg.Policy(), contact, phones)
			l.lookup.told = nobody && isNumber(at.user) // forwarded to an outside number, without a gateway
		}
		as.known(l, whose, now)
	}, now)
}

// isNoPhone reports whether a dialled leg leads to no phone of this FreeSWITCH: it goes
// through a gateway, or to an application, as the sample dialplan's to the voicemail
// (loopback/app=voicemail:...).
func isNoPhone(data channelData) bool {
	return data.Variable("sip_gateway_name") != "" || strings.HasPrefix(data.Variable("channel_name"), "loopback/app=")
}

// known takes the user of a leg that FreeSWITCH was asked for; the zero
// value is nobody.
func (as answerers) known(l *leg, whose user, now time.Time) {
	ctl := as.ctl
	l.lookup.asking = false
	if whose.id != "" { // the call's snapshot may have named the user already, without the domain
		l.user = whose
	}
	if ctl.legs.get(l.uuid) != l { // it has hung up
		return
	}
	if c := ctl.callOn(l.uuid); c != nil && c.route.peer == l.uuid {
		c.joined(l.uuid, now)
	} else if c := ctl.callOf(l.uuid); c != nil {
		c.rethink(now)
	}
	as.note(l, now)
}

// registeredAs is the user whose phone is registered with a contact; the zero value if
// it is nobody's or several users'. nobody reports that FreeSWITCH knows of no phone at
// all there.
func registeredAs(p *flow.Policy, contact string, phones []esl.Registration) (whose user, nobody bool) {
	nobody = true
	for _, phone := range phones {
		if !phone.IsAt(contact) {
			continue
		}
		nobody = false
		org, known := p.OrganisationByDomain(phone.Domain)
		if !known {
			continue
		}
		id, _, _ := org.FindUser(phone.User)
		if whose.id != "" && (whose.id != id || whose.org != org.ID) {
			return user{}, false
		}
		whose = user{org.ID, id, phone.Domain}
	}
	return whose, nobody
}

// note tells the administrator that nobody is known to have answered: the leg
// that FreeSWITCH dialled counts as no user on the call, so no user's setting counts,
// and its presses are refused. The outside party's own leg, and a leg through a
// gateway or to an outside number, are nobody's by right.
func (as answerers) note(l *leg, now time.Time) {
	ctl := as.ctl
	if l == nil || !l.dialled || !l.answered || l.user.id != "" || l.lookup.asking || l.lookup.told {
		return
	}
	c := ctl.callOf(l.uuid)
	if c == nil { // a queue dials its agents without the call
		c = ctl.callOn(l.uuid)
	}
	if c == nil || l.uuid == c.route.anchor {
		return
	}
	l.lookup.told = true
	ctl.cfg.Meter.UnknownAnswer()
	c.trace.add(recording.Note{What: recording.NoteUnknown, Result: l.lookup.found}, now)
	c.log.Warn("answered by nobody whom the policy knows: no user's setting counts, and presses are refused", "leg", l.uuid,
		"domain", l.lookup.domain, "looked_up", l.lookup.found)
}

// namesOn is which variables of a leg name a user, and whom, for the administrator.
// named reports whether one of them does so by name and domain.
func namesOn(data channelData) (names string, named bool) {
	for _, c := range candidates(data) {
		if c.user != "" {
			names += " " + c.variable + "=" + userForLog(c.user) + "@" + hostForLog(c.domain)
			named = named || !c.address && c.domain != ""
		}
	}
	return strings.TrimPrefix(names, " "), named
}

// userForLog is a user's name or extension from outside as the log may have it: not a
// telephone number, which may be an outside party's.
func userForLog(name string) string {
	switch {
	case isNumber(name):
		return "(number)"
	case !isPlain(name):
		return "(unreadable)"
	}
	return tidy.Text(name, maxExternal)
}

// isNumber reports whether a user's name may be a telephone number.
func isNumber(name string) bool {
	return len(name) >= shortestNumber && strings.Trim(strings.TrimPrefix(name, "+"), "0123456789.-") == ""
}

// hostForLog is a SIP domain from outside as the log may have it.
func hostForLog(domain string) string {
	switch {
	case domain == "":
		return "-"
	case !isPlain(domain), len(domain) > maxHost:
		return "(unreadable)"
	}
	return domain
}

// maxHost is the greatest length of a domain that is logged, in bytes: RFC 1035,
// section 2.3.4, and a port.
const maxHost = 253 + len(":65535")
