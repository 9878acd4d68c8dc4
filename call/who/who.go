// Package who says whose phone a leg is, from what FreeSWITCH says of the leg, and what
// an administrator is told of a leg that is nobody's. It is pure: it needs no
// FreeSWITCH.
package who

import (
	"cmp"
	"strings"

	"tapedeck/flow"
)

// Data is what FreeSWITCH says of a leg: an event, or the data that a leg brings to the
// socket.
type Data interface {
	Get(header string) string
	Variable(name string) string
}

// User names the user whose phone a leg is. The zero value is no user.
type User struct {
	Org    string // id of the organisation
	ID     string
	Domain string // SIP domain of the leg
}

// candidate is a user whose phone a leg may be, as one channel variable says.
type candidate struct {
	variable     string // the variable that names the user
	user, domain string // as it says; "" if it says nothing
	address      bool   // it is an address to which the leg was dialled: anybody's, unless its domain is the organisation's
}

// candidates are the users whom a leg's channel data names, the surest first.
//
// A leg that came in is a user's if FreeSWITCH has authenticated it (user_name); all
// other names on it are the caller's own words, or what a bridge has copied there.
//
// A leg that FreeSWITCH dialled is named by its dial string. user/ sets dialed_user.
// group_call, group/ and sofia_contact do not, but a directory's dial-string sets
// presence_id. FusionPBX sets dialed_extension; the sample dialplan does, too, but
// exports it to every leg that the caller dials later, without a domain, so it comes
// after presence_id. sofia/profile/user%domain leaves sip_local_url. Nothing is read
// that the answering phone sends. On a leg through a gateway or to an application only
// user/ counts: a transfer or a follow-me may have left the other names there
// (docs/freeswitch.md, "Who answers").
func candidates(data Data) []candidate {
	if !IsDialled(data) {
		return []candidate{{variable: "user_name", user: data.Variable("user_name"), domain: domainOf(data)}}
	}
	found := []candidate{{variable: "dialed_user", user: data.Variable("dialed_user"), domain: domainOf(data)}}
	if isNoPhone(data) {
		return found
	}
	user, domain, _ := strings.Cut(data.Variable("presence_id"), "@")
	found = append(found, candidate{variable: "presence_id", user: user, domain: domain},
		candidate{variable: "dialed_extension", user: data.Variable("dialed_extension"),
			domain: cmp.Or(data.Variable("dialed_domain"), data.Variable("domain_name"))})
	for _, name := range []string{"sip_local_url", "sip_destination_url"} {
		a := readAddress(data.Variable(name))
		found = append(found, candidate{variable: name, user: a.user, domain: a.host, address: true})
	}
	return found
}

// in returns the organisation in which the candidate is to be looked up: the one that
// has his domain. If the dialplan has named one (hinted: tapedeck_org), it is that one
// or none, and a domain that is no organisation's does not matter. It returns nil if
// there is none.
func (c candidate) in(p *flow.Policy, hinted *flow.Organisation) *flow.Organisation {
	owner, known := p.OrganisationByDomain(c.domain)
	switch {
	case hinted == nil, owner == hinted:
		return owner
	case !known && !c.address:
		return hinted
	}
	return nil
}

// Of finds the user whose phone a leg is, and the SIP domain by which he was found. If
// the leg is nobody's, id is "", and the organisation is the one that tapedeck_org or
// the leg's domain names; nil if neither names one.
func Of(p *flow.Policy, data Data) (org *flow.Organisation, id, domain string) {
	org, domain = organisationOf(p, data), domainOf(data)
	if org != nil {
		if id, _, ok := org.FindUser(data.Variable("tapedeck_user")); ok {
			return org, id, saidDomain(data)
		}
	}
	hinted := p.Organisations[data.Variable("tapedeck_org")]
	for _, c := range candidates(data) {
		if in := c.in(p, hinted); in != nil {
			if id, _, ok := in.FindUser(c.user); ok {
				return in, id, c.domain
			}
		}
	}
	return org, "", domain
}

// IsDialled reports whether FreeSWITCH dialled the leg.
func IsDialled(data Data) bool { return data.Get("Call-Direction") == "outbound" }

// isNoPhone reports whether a dialled leg leads to no phone of this FreeSWITCH: it goes
// through a gateway, or to an application, as the sample dialplan's to the voicemail
// (loopback/app=voicemail:...).
func isNoPhone(data Data) bool {
	return data.Variable("sip_gateway_name") != "" || strings.HasPrefix(data.Variable("channel_name"), "loopback/app=")
}

func organisationOf(p *flow.Policy, data Data) *flow.Organisation {
	if org, ok := p.Organisations[data.Variable("tapedeck_org")]; ok {
		return org
	}
	org, _ := p.OrganisationByDomain(domainOf(data))
	return org
}

// domainOf is the SIP domain of a leg's user.
func domainOf(data Data) string {
	return cmp.Or(data.Variable("dialed_domain"), data.Variable("domain_name"), OwnWord(data, "sip_from_host"))
}

// saidDomain is domainOf or, if that is "", the domain that a stranger says. It decides
// nothing; the log and the lamps of a user whom the dialplan has named have it.
func saidDomain(data Data) string {
	return cmp.Or(domainOf(data), data.Variable("sip_from_host"))
}

// OwnWord is a variable that has what the caller has written into his INVITE (To, From).
// It is "" unless FreeSWITCH knows the caller, by his password or his address (sofia.c,
// sofia_handle_sip_i_invite): a stranger must not choose whose call it is.
func OwnWord(data Data, variable string) string {
	if data.Variable("sip_authorized") != "true" {
		return ""
	}
	return data.Variable(variable)
}

// address is who a SIP URI names.
type address struct{ user, host string } // host has the port, if the URI has one

// readAddress reads a SIP URI, with or without its scheme, alone or as a name-addr. It
// returns the zero value for a text that is none.
func readAddress(uri string) address {
	if _, inner, has := strings.Cut(uri, "<"); has { // sofia/profile/user%domain: "" <sip:user@host>
		uri, _, _ = strings.Cut(inner, ">")
	}
	if i := strings.IndexAny(uri, ";?"); i >= 0 {
		uri = uri[:i]
	}
	if scheme, rest, has := strings.Cut(uri, ":"); has && (strings.EqualFold(scheme, "sip") || strings.EqualFold(scheme, "sips")) {
		uri = rest
	}
	user, host, is := strings.Cut(uri, "@")
	if !is || user == "" || host == "" {
		return address{}
	}
	return address{user, host}
}
