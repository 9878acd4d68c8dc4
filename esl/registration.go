package esl

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// Registration is a phone that is registered with a SIP profile, as `sofia xmlstatus
// profile <name> reg <part of a contact>` shows it (mod_sofia.c, cmd_xml_status and
// show_reg_callback_xml).
type Registration struct {
	User, Domain string // of user@domain; Domain is "" if FreeSWITCH says none
	Contact      string // a name-addr or a SIP URI, with its parameters
}

// maxRegistrations is how much FreeSWITCH may say of the phones at one contact, in
// bytes: about a hundred registrations.
const maxRegistrations = 128 << 10

// ReadRegistrations reads FreeSWITCH's answer. It fails if the answer is no list of
// registrations, or longer than 128 KiB.
func ReadRegistrations(text string) ([]Registration, error) {
	var answer struct {
		Registrations []struct {
			User    string `xml:"user"`
			Contact string `xml:"contact"`
		} `xml:"registrations>registration"`
	}
	if len(text) > maxRegistrations {
		return nil, fmt.Errorf("esl: read registrations: %d bytes: at most %d", len(text), maxRegistrations)
	}
	decoder := xml.NewDecoder(strings.NewReader(strings.ToValidUTF8(text, "?"))) // it says ISO-8859-1, and sends what phones have sent
	decoder.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	if err := decoder.Decode(&answer); err != nil {
		return nil, fmt.Errorf("esl: read registrations: %w", err)
	}
	found := make([]Registration, 0, len(answer.Registrations))
	for _, r := range answer.Registrations {
		user, domain, _ := strings.Cut(r.User, "@")
		found = append(found, Registration{User: user, Domain: domain, Contact: r.Contact})
	}
	return found, nil
}

// IsAt reports whether the phone is registered with the contact to which a leg was
// dialled (its sip_destination_url). FreeSWITCH searches for a part of a contact; this
// compares the whole of it, with the way through a NAT. An event leaves a percent sign
// that encodes something as it is (switch_utils.c, switch_url_encode_opt), so the
// variable has come decoded.
func (r Registration) IsAt(dialled string) bool {
	registered := r.Contact
	if _, inner, has := strings.Cut(registered, "<"); has {
		registered, _, _ = strings.Cut(inner, ">")
	}
	plain := func(text string) string {
		if decoded, err := url.PathUnescape(text); err == nil {
			return decoded
		}
		return text
	}
	return plain(registered) == plain(dialled)
}
