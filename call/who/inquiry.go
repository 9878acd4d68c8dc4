package who

import (
	"strings"

	"tapedeck/esl"
	"tapedeck/flow"
	"tapedeck/internal/tidy"
)

// Inquiry is what is known of a dialled leg that is no user's by its variables, and what
// FreeSWITCH can still be asked: a dial string of sofia_contact alone is only the
// contact of a registered phone.
type Inquiry struct {
	Found  string // what names the user, for the log; "" if nothing does
	Domain string // the leg's SIP domain, for the log
	Nobody bool   // the leg is nobody's by right: it leads out through a gateway, or to an application

	// The question, whose phone the dialled contact is: `sofia xmlstatus profile
	// <Profile> reg <Contact>`. Profile is "" if there is nothing to ask.
	Profile string
	Contact string // the part of the contact that FreeSWITCH searches for

	dialled string // the whole contact
	number  bool   // it may be an outside party's telephone number
}

// Inquire says what can be found out of a dialled leg that no variable names.
func Inquire(data Data) Inquiry {
	names, named := namesOn(data)
	q := Inquiry{Found: names, Domain: hostForLog(saidDomain(data)), Nobody: isNoPhone(data) && !named}
	dialled, profile := data.Variable("sip_destination_url"), data.Variable("sip_profile_name")
	at := readAddress(dialled)
	q.number = isNumber(at.user)
	if named || q.Nobody || !tidy.IsWord(at.user) && !q.number || !tidy.IsWord(at.host) || !tidy.IsWord(profile) {
		return q
	}
	q.Found = strings.TrimPrefix(names+" registration", " ")
	q.Profile, q.Contact, q.dialled = profile, at.user+"@"+at.host, dialled
	if q.number { // perhaps an outside party's: it goes into no command
		q.Contact = at.host
	}
	return q
}

// Answer takes the phones that FreeSWITCH knows at the contact. It returns the user who
// is registered there; the zero value if it is nobody, or several users. nobody
// reports that the leg is nobody's by right: it was forwarded to an outside number,
// without a gateway, so FreeSWITCH knows of no phone there.
func (q Inquiry) Answer(p *flow.Policy, phones []esl.Registration) (whose User, nobody bool) {
	nobody = q.number
	for _, phone := range phones {
		if !phone.IsAt(q.dialled) {
			continue
		}
		nobody = false
		org, known := p.OrganisationByDomain(phone.Domain)
		if !known {
			continue
		}
		id, _, isUser := org.FindUser(phone.User)
		if !isUser {
			continue
		}
		if whose.ID != "" && (whose.ID != id || whose.Org != org.ID) {
			return User{}, false
		}
		whose = User{org.ID, id, phone.Domain}
	}
	return whose, nobody
}

// namesOn is which variables of a leg name a user, and whom, for the administrator.
// named reports whether one of them does so by name and domain.
func namesOn(data Data) (names string, named bool) {
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
	case !tidy.IsWord(name):
		return "(unreadable)"
	}
	return tidy.Text(name, maxName)
}

// maxName is the greatest length of a user's name that is logged, in bytes.
const maxName = 64

// ShortestNumber is the fewest digits that count as a telephone number. Emergency
// numbers and the like are shorter; for them the dialplan sets tapedeck_direction.
const ShortestNumber = 7

// isNumber reports whether a user's name may be a telephone number.
func isNumber(name string) bool {
	return len(name) >= ShortestNumber && strings.Trim(strings.TrimPrefix(name, "+"), "0123456789.-") == ""
}

// hostForLog is a SIP domain from outside as the log may have it.
func hostForLog(domain string) string {
	switch {
	case domain == "":
		return "-"
	case !tidy.IsWord(domain), len(domain) > maxHost:
		return "(unreadable)"
	}
	return domain
}

// maxHost is the greatest length of a domain that is logged, in bytes: RFC 1035,
// section 2.3.4, and a port.
const maxHost = 253 + len(":65535")
