package flow

import (
	"net/netip"
	"strings"
)

// FindNumber finds the organisation that has a number, however the number is written
// (see Normalise). Digits that begin with a country code and without + are found, too,
// if the policy has exactly that number, in any region. If no organisation has the
// number, e164 is what Normalise says.
func (p *Policy) FindNumber(raw string) (o *Organisation, e164 string, ok bool) {
	if o, ok = p.numbers[raw]; ok {
		return o, raw, true
	}
	e164, _ = p.Normalise(raw)
	if o, ok = p.numbers[e164]; ok {
		return o, e164, true
	}
	if digits, clean := cleanNumber(raw); clean && !strings.HasPrefix(digits, "+") {
		if o, ok = p.numbers["+"+digits]; ok {
			return o, "+" + digits, true
		}
	}
	return nil, e164, false
}

// OrganisationByDomain finds the organisation that has a SIP domain. Case and port do
// not matter.
func (p *Policy) OrganisationByDomain(domain string) (*Organisation, bool) {
	if len(domain) > maxDomain {
		return nil, false
	}
	o, ok := p.domains[hostOf(domain)]
	return o, ok
}

// maxDomain bounds what is looked up: 253 bytes (RFC 1035, section 2.3.4) and a port.
const maxDomain = 253 + len(":65535")

// hostOf is a domain in the form in which domains are compared: in lower case, without
// port and without the dot of the root; an IPv6 address in its canonical form,
// without brackets.
func hostOf(domain string) string {
	host := domain
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		host, _, _ = strings.Cut(inner, "]")
	} else if strings.Count(host, ":") == 1 {
		host, _, _ = strings.Cut(host, ":")
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.String()
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// FindUser finds a user by id or by extension.
func (o *Organisation) FindUser(idOrExtension string) (id string, u *UserEntry, ok bool) {
	if u, ok = o.Users[idOrExtension]; ok {
		return idOrExtension, u, true
	}
	if id, ok = o.extensions[idOrExtension]; ok {
		return id, o.Users[id], true
	}
	return "", nil, false
}

// Settings is what the policy says about an element. It is not ok if the organisation
// has no such element, which then counts as dont-care.
func (o *Organisation) Settings(e Element) (s Settings, ok bool) {
	switch e.Kind {
	case Number:
		if n := o.Numbers[e.ID]; n != nil {
			return n.Record, true
		}
	case RingGroup:
		if g := o.RingGroups[e.ID]; g != nil {
			return g.Record, true
		}
	case Application:
		if a := o.Applications[e.ID]; a != nil {
			return a.Record, true
		}
	case User:
		if u := o.Users[e.ID]; u != nil {
			return u.Record, true
		}
	}
	return Settings{}, false
}
